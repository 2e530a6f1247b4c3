//! The whole of a process: from its arguments to its exit code.

use std::error::Error;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

use narthex_http::BoxError;

use crate::error::ExporterError;
use crate::exporter::Exporter;
use crate::lifecycle::{Panicked, panic_message};
use crate::logging::{FATAL, init_logging};
use crate::settings::{Input, Settings, SettingsError};
use crate::web_args::WebArgs;

/// Is the `main` of an exporter: reads the settings, sets up logs and the runtime, has `setup`
/// make the exporter, and runs it.
///
/// | exit code | |
/// |---|---|
/// | 0 | a signal ended the exporter, and it ended well; help, the version or a check was asked for |
/// | 1 | `setup`, the start or a hook failed |
/// | 2 | the settings cannot be used |
/// | 130, 143 | a second SIGINT or SIGTERM ended it at once |
///
/// A failure is one line on standard error: of the log where that is set up already, whatever its
/// level. Panics become lines of the log as well.
///
/// ```no_run
/// use std::path::PathBuf;
///
/// use narthex_core::Registry;
/// use narthex_exporter::{Exporter, ScrapeContext, Settings, WebArgs};
///
/// #[derive(clap::Parser)]
/// #[command(version, about)]
/// struct Cli {
///     /// Sensor to read.
///     #[arg(long)]
///     device: PathBuf,
///     #[command(flatten)]
///     web: WebArgs,
/// }
///
/// fn main() -> std::process::ExitCode {
///     narthex_exporter::main(Settings::new("THERMO").default_port(9111), async |cli: Cli| {
///         let device = cli.device;
///         Ok(Exporter::new("thermo-exporter", Registry::new(), cli.web).source(
///             "sensor",
///             move |scrape: ScrapeContext| {
///                 let device = device.clone();
///                 async move {
///                     let text = tokio::fs::read_to_string(device).await?;
///                     let celsius: f64 = text.trim().parse()?;
///                     scrape.gauge("temperature_celsius", "Temperature.").set(celsius);
///                     Ok::<_, narthex_exporter::BoxError>(())
///                 }
///             },
///         ))
///     })
/// }
/// ```
#[expect(clippy::needless_pass_by_value, reason = "settings are made for this one call")]
pub fn main<C, S>(settings: Settings, setup: S) -> ExitCode
where
    C: clap::Parser,
    S: AsyncFnOnce(C) -> Result<Exporter, BoxError>,
{
    let loaded = match settings.load::<C>(&Input::of_process()) {
        Ok(loaded) if loaded.is_check => return loaded.web.report_check(),
        Ok(loaded) => loaded,
        Err(error) => return error.report(),
    };
    let (version, about) = (loaded.version, loaded.about);
    run(loaded.web, async |_| {
        setup(loaded.cli).await.map(|exporter| exporter.or_about(&version, &about))
    })
}

/// Does what [`main`](main()) does after reading the settings, for programs that do more than
/// export and read them with [`Settings::parse`].
///
/// ```no_run
/// use narthex_core::Registry;
/// use narthex_exporter::{Exporter, Settings, WebArgs};
///
/// #[derive(clap::Parser)]
/// enum Cli {
///     /// Export.
///     Run {
///         #[command(flatten)]
///         web: WebArgs,
///     },
///     /// Say hello.
///     Hello,
/// }
///
/// fn main() -> std::process::ExitCode {
///     match Settings::new("THERMO").subcommand("run").parse() {
///         Cli::Run { web } => narthex_exporter::run(web, async |web| {
///             Ok(Exporter::new("thermo", Registry::new(), web).version("1.2.3"))
///         }),
///         Cli::Hello => {
///             println!("hello");
///             std::process::ExitCode::SUCCESS
///         }
///     }
/// }
/// ```
pub fn run<S>(web: WebArgs, setup: S) -> ExitCode
where
    S: AsyncFnOnce(WebArgs) -> Result<Exporter, BoxError>,
{
    if let Err(error) = init_logging(web.log_level, web.log_format) {
        // The program has logs of its own making, and may well keep them.
        tracing::debug!("{error}");
    }
    std::panic::set_hook(Box::new(log_panic));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, 1),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async { Box::pin(setup(web).await?.run()).await.map_err(BoxError::from) })
    }));
    // A source that blocks its thread for ever must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => match error.downcast_ref::<SettingsError>() {
            Some(errors) => {
                let code = errors.exit_code();
                errors.all().iter().for_each(|error| log_failure(error));
                code.into()
            }
            None => {
                let code = error.downcast_ref().map_or(1, ExporterError::exit_code);
                failed(&*error, code)
            }
        },
        Err(panic) => failed(&Panicked(panic_message(&*panic).to_owned()), 1),
    }
}

fn failed(error: &(dyn Error + 'static), code: u8) -> ExitCode {
    log_failure(error);
    code.into()
}

fn log_failure(error: &(dyn Error + 'static)) {
    tracing::error!(target: FATAL, error, "the exporter failed");
}

/// Keeps panics in the log's format, and on one line.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic_message(panic.payload());
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(reason = message, location, thread = thread.name(), "panic");
}
