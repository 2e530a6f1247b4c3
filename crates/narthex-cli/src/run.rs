//! `narthex run`: exports what a file describes, or this machine.

mod build_info;
mod host;
mod labels;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use narthex_core::{Collector as _, Registry};
use narthex_exporter::{
    BoxError, Exporter, FileSources, Settings, SettingsError, Sources, WebArgs, seconds,
};
use narthex_process::ProcessCollector;

use self::build_info::BuildInfo;
use self::host::{Host, HostArgs};
use crate::{Cli, Command};

/// The arguments of `narthex run`.
#[derive(Debug, clap::Args)]
#[command(about = ABOUT, after_help = HELP)]
pub(crate) struct RunArgs {
    /// TOML file with settings; the same as --config.
    #[arg(id = CONFIG_ARGUMENT, value_name = "CONFIG.toml")]
    config_argument: Option<PathBuf>,
    #[command(flatten)]
    web: WebArgs,
    /// Seconds for which an answer of a JSON endpoint is exported before it is asked again.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    cache_life: Duration,
    #[command(flatten)]
    host: HostArgs,
}

const ABOUT: &str = "Export what a TOML file describes, or else the metrics of this machine";

const HELP: &str = "\
Every collector runs unless it is switched off: by --no-collector.NAME, --collector.NAME=false, or
from outside as every option can be.

Settings come from flags, the environment, the dotenv file .env (or the one that NARTHEX_DOTENV
names) and the TOML file, in this order. Variables and TOML keys are the flag's long name with
underscores for dashes and dots: NARTHEX_COLLECTOR_CPU=no, collector_cpu = false.

The TOML file may describe other sources: values of JSON endpoints in tables [json.NAME], constant
ones in [metrics.NAME]. Where it does, this machine is exported only if there is a table [host], in
which the options of collectors may stand: cpu = false. Entries of the table [labels] become labels of
every metric but those about scrapes. The file is read again when it changes, and on SIGHUP.";

const CONFIG_ARGUMENT: &str = "config_argument";
const HOST: &str = "host";

/// Where the settings come from.
pub(crate) fn settings() -> Settings {
    let settings = Settings::new("NARTHEX")
        .subcommand("run")
        .config_argument(CONFIG_ARGUMENT)
        .default_port(9999)
        .default_value("process_stats", "true")
        .table(HOST, ["collector_", "path_"]);
    FileSources::sections(settings)
}

/// Runs until a signal ends it.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    let files = Arc::new(FileSources::default());
    let web = args.web.clone();
    let (sources, description) = match prepare(&files, args) {
        Ok(_) if web.config_check => return web.report_check(),
        Ok(prepared) => prepared,
        Err(error) => return error.report(),
    };
    narthex_exporter::run(web, async |web| {
        tell_of_unread_file(&web);
        let started_with = format!("{web:?}");
        let exporter = Exporter::new("narthex", Registry::new(), web)
            .version(env!("CARGO_PKG_VERSION"))
            .description(description)
            .reloadable(sources, move || reload(&files, &started_with));
        // What is not known at build time is not shown.
        let built_from = [
            ("Revision", option_env!("NARTHEX_BUILD_REVISION")),
            ("Rust", option_env!("NARTHEX_BUILD_RUST_VERSION")),
        ];
        let known = built_from.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Ok(known.fold(exporter, |exporter, (name, value)| exporter.detail(name, value)))
    })
}

/// What is exported, and a sentence about it, so far as settings can have it wrong.
fn prepare(files: &FileSources, args: RunArgs) -> Result<(Sources, String), SettingsError> {
    let file = args.web.config.as_ref();
    let mut sources = match file {
        Some(file) => files.load(file, args.cache_life)?,
        None => Sources::new(),
    };
    // A file that describes other sources may do without this machine.
    let is_host = file.is_none_or(|file| file.has(HOST) || !FileSources::has_sources(file));
    let host = is_host.then(|| Host::new(args.host.collector()));
    if let Some(file) = file {
        let mut families = host.as_ref().map(Host::families).unwrap_or_default();
        families.push(BuildInfo::family());
        for family in &families {
            labels::check(file, family)?;
        }
        if args.web.process_stats && !args.web.disable_exporter_metrics {
            ProcessCollector::new().collect(&mut families);
        }
        FileSources::check_beside(file, &families)?;
    }
    sources.collector("build", BuildInfo);
    if let Some(host) = host {
        sources.collector(HOST, host);
    }
    let description = match (is_host, file) {
        (false, Some(file)) => format!("Metrics that {} describes.", file.path().display()),
        _ => "Metrics of this machine under the names of node_exporter.".to_owned(),
    };
    Ok((sources, description))
}

/// Reads the settings again, of which all but the sources have to wait for the next start.
fn reload(files: &FileSources, started_with: &str) -> Result<Sources, BoxError> {
    let Command::Run(args) = settings().try_parse::<Cli>()?.command else {
        unreachable!("the arguments of a process stay as they are");
    };
    if format!("{:?}", args.web) != started_with {
        tracing::warn!("options of the exporter have changed, which count from its next start");
    }
    Ok(prepare(files, *args)?.0)
}

/// A file of the usual name looks as if it counted, but only one that is named does.
fn tell_of_unread_file(web: &WebArgs) {
    if web.config.is_none() && Path::new("config.toml").exists() {
        tracing::info!("`config.toml` is not read; `narthex run config.toml` would do so");
    }
}
