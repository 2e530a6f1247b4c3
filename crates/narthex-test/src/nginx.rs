//! The real reverse proxy.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

use crate::component::required_component;
use crate::http::get;
use crate::poll::poll;
use crate::process::Process;

/// nginx on a free loopback port, before one server.
#[derive(Debug)]
pub struct Nginx {
    _process: Process,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts nginx with `target` under the path `prefix`, which begins and ends with `/`; `None`
    /// where it is not installed.
    ///
    /// # Panics
    ///
    /// Panics when it does not get ready, and under `CI=true` when it is not installed.
    #[track_caller]
    pub fn start(target: SocketAddr, prefix: &str) -> Option<Self> {
        // Debian keeps it where only root looks.
        let program = required_component("nginx")?;
        // The port is only known to be free, not kept: another process may be faster.
        (0..5).find_map(|_| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
            let address = listener.local_addr().expect("a bound socket has an address");
            drop(listener);
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let path = folder.path().display();
            let config = folder.path().join("nginx.conf");
            fs::write(&config, configuration(address, target, prefix, &path.to_string()))
                .expect("the file can be written");
            let mut process = Process::start(
                Command::new(&program).arg("-p").arg(folder.path()).arg("-c").arg(&config),
            )
            .expect("nginx can be run");
            let ready = poll("nginx to be ready", Duration::from_secs(30), || {
                if !process.is_running() {
                    return Some(false);
                }
                get(&format!("http://{address}/ping"), &[]).is_ok().then_some(true)
            });
            ready.then_some(Self { _process: process, address, _folder: folder })
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn configuration(address: SocketAddr, target: SocketAddr, prefix: &str, folder: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\n\
         events {{}}\n\
         http {{\n{temporary}  access_log off;\n  server {{\n    listen {address};\n    \
         location = /ping {{ return 204; }}\n    \
         location {prefix} {{ proxy_pass http://{target}/; }}\n  }}\n}}\n"
    )
}
