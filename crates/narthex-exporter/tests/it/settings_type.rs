//! Settings end in the author's own struct.

use std::path::PathBuf;

use narthex_exporter::{Settings, SettingsError, WebArgs};

#[derive(clap::Parser)]
struct Cli {
    #[arg(long)]
    device: PathBuf,
    #[arg(long, default_value_t = 3)]
    retries: u8,
    #[command(flatten)]
    web: WebArgs,
}

#[test]
fn b14_options_are_fields_of_their_types() -> Result<(), SettingsError> {
    let environment = [("THERMO_DEVICE", "/dev/thermo"), ("THERMO_RETRIES", "7")];
    let cli: Cli =
        Settings::new("THERMO").try_parse_from(["thermo", "-p", "1"], environment, "/".as_ref())?;
    assert_eq!((cli.device, cli.retries, cli.web.port), ("/dev/thermo".into(), 7, 1));
    Ok(())
}
