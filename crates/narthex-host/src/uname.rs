//! `uname`: the system call of that name.

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::Page;
use crate::system;

/// What the kernel calls itself.
#[derive(Debug)]
pub(crate) struct Uname {
    pub(crate) domainname: String,
    pub(crate) machine: String,
    pub(crate) nodename: String,
    pub(crate) release: String,
    pub(crate) sysname: String,
    pub(crate) version: String,
}

pub(crate) fn collect(page: &mut Page) -> Result<(), CollectError> {
    let uname = system::uname().map_err(|error| CollectError::system("uname", error))?;
    let help = "Labeled system information as provided by the uname system call.";
    let labels = ["domainname", "machine", "nodename", "release", "sysname", "version"];
    let family = MetricFamily::gauge("node_uname_info", help).label_names(labels);
    let Uname { domainname, machine, nodename, release, sysname, version } = uname;
    page.push(family.sample([domainname, machine, nodename, release, sysname, version], 1_u64))
}
