//! `narthex run`: exports this machine.

mod build_info;
mod host;
mod labels;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use narthex_core::Registry;
use narthex_exporter::{Exporter, Settings, SettingsError, WebArgs};

use self::build_info::BuildInfo;
use self::host::{Host, HostArgs};
use self::labels::Labels;

/// The arguments of `narthex run`.
#[derive(Debug, clap::Args)]
#[command(about = ABOUT, after_help = HELP)]
pub(crate) struct RunArgs {
    /// TOML file with settings; the same as --config.
    #[arg(id = CONFIG_ARGUMENT, value_name = "CONFIG.toml")]
    config_argument: Option<PathBuf>,
    #[command(flatten)]
    web: WebArgs,
    #[command(flatten)]
    host: HostArgs,
}

const ABOUT: &str = "Export the metrics of this machine, under the names of node_exporter";

const HELP: &str = "\
Every collector runs unless it is switched off: by --no-collector.NAME, --collector.NAME=false, or
from outside as every option can be.

Settings come from flags, the environment, the dotenv file .env (or the one that NARTHEX_DOTENV
names) and the TOML file, in this order. Variables and TOML keys are the flag's long name with
underscores for dashes and dots: NARTHEX_COLLECTOR_CPU=no, collector_cpu = false. The TOML file may
have a table [labels], whose entries become labels of every metric but those about scrapes.";

const CONFIG_ARGUMENT: &str = "config_argument";
const LABELS: &str = "labels";

/// Where the settings come from.
pub(crate) fn settings() -> Settings {
    Settings::new("NARTHEX")
        .subcommand("run")
        .config_argument(CONFIG_ARGUMENT)
        .default_port(9999)
        .default_value("process_stats", "true")
        .section(LABELS, Labels::read)
}

/// Runs until a signal ends it.
pub(crate) fn run(args: RunArgs) -> ExitCode {
    let web = args.web;
    let (host, registry) = match prepare(&web, args.host) {
        Ok(_) if web.config_check => {
            // Who closed the pipe reads the exit code alone.
            let _ = writeln!(std::io::stdout(), "settings are valid");
            return ExitCode::SUCCESS;
        }
        Ok(prepared) => prepared,
        Err(error) => return error.report(),
    };
    narthex_exporter::run(web, async |web| {
        tell_of_unread_file(&web);
        registry.register(BuildInfo)?;
        let exporter = Exporter::new("narthex", registry, web)
            .version(env!("CARGO_PKG_VERSION"))
            .description("Metrics of this machine under the names of node_exporter.")
            .collector("host", host);
        // What is not known at build time is not shown.
        let built_from = [
            ("Revision", option_env!("NARTHEX_BUILD_REVISION")),
            ("Rust", option_env!("NARTHEX_BUILD_RUST_VERSION")),
        ];
        let known = built_from.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Ok(known.fold(exporter, |exporter, (name, value)| exporter.detail(name, value)))
    })
}

/// What is exported, so far as settings can have it wrong.
fn prepare(web: &WebArgs, host: HostArgs) -> Result<(Host, Registry), SettingsError> {
    let host = Host::new(host.collector());
    let labels = web.config.as_ref().and_then(|file| file.section::<Labels>(LABELS));
    let registry = match labels {
        Some(labels) => labels.registry(host.families().iter().chain([&BuildInfo::family()]))?,
        None => Registry::new(),
    };
    Ok((host, registry))
}

/// A file of the usual name looks as if it counted, but only one that is named does.
fn tell_of_unread_file(web: &WebArgs) {
    if web.config.is_none() && Path::new("config.toml").exists() {
        tracing::info!("`config.toml` is not read; `narthex run config.toml` would do so");
    }
}
