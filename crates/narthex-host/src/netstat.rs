//! `netstat`: protocol counters from `/proc/net/netstat`, `snmp` and `snmp6`.

use narthex_model::MetricFamily;

use crate::error::CollectError;
use crate::page::{Page, signed};
use crate::paths::{Paths, Text};

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    collect_tables(&paths.proc("net/netstat")?, page)?;
    collect_tables(&paths.proc("net/snmp")?, page)?;
    // A kernel without IPv6 has no such file.
    match paths.proc_if_present("net/snmp6")? {
        Some(text) => collect_list(&text, page),
        None => Ok(()),
    }
}

/// Each two lines are a table: `Tcp: NAME NAME ...` and `Tcp: NUMBER NUMBER ...`.
fn collect_tables(text: &Text, page: &mut Page) -> Result<(), CollectError> {
    let mut lines = text.lines();
    while let Some(names) = lines.next() {
        let values = lines.next().unwrap_or_default();
        let mut names = names.split_ascii_whitespace();
        let mut words = values.split_ascii_whitespace();
        let error = || text.error(values, "a number for each name on the line before");
        let protocol = names.next().and_then(|name| name.strip_suffix(':')).ok_or_else(error)?;
        if words.next().and_then(|word| word.strip_suffix(':')) != Some(protocol) {
            return Err(error());
        }
        for name in names {
            push(protocol, name, words.next().ok_or_else(error)?, page, error)?;
        }
    }
    Ok(())
}

/// Each line is `Ip6InReceives NUMBER`.
fn collect_list(text: &Text, page: &mut Page) -> Result<(), CollectError> {
    for line in text.lines() {
        let error = || text.error(line, "a name and a number");
        let mut words = line.split_ascii_whitespace();
        let (key, value) = words.next().zip(words.next()).ok_or_else(error)?;
        // The protocol ends with the first 6, as in `UdpLite6InErrors`.
        if let Some(at) = key.find('6') {
            let (protocol, name) = key.split_at(at + 1);
            push(protocol, name, value, page, error)?;
        }
    }
    Ok(())
}

fn push(
    protocol: &str,
    name: &str,
    value: &str,
    page: &mut Page,
    error: impl Fn() -> CollectError,
) -> Result<(), CollectError> {
    if !is_exported(protocol, name) {
        return Ok(());
    }
    let value = signed(value).ok_or_else(error)?;
    let help = format!("Statistic {protocol}{name}.");
    page.single(MetricFamily::unknown(format!("node_netstat_{protocol}_{name}"), help), value)
}

/// The fields that `node_exporter`'s default pattern matches.
fn is_exported(protocol: &str, name: &str) -> bool {
    if matches!(name, "InErrors" | "InErrs") {
        return true;
    }
    match protocol {
        "Ip" => name == "Forwarding",
        "Ip6" | "IpExt" => matches!(name, "InOctets" | "OutOctets"),
        "Icmp" | "Icmp6" => matches!(name, "InMsgs" | "OutMsgs"),
        "TcpExt" => {
            name.starts_with("Listen")
                || name.starts_with("Syncookies")
                || matches!(name, "TCPSynRetrans" | "TCPTimeouts" | "TCPOFOQueue" | "TCPRcvQDrop")
        }
        "Tcp" => matches!(
            name,
            "ActiveOpens"
                | "InSegs"
                | "OutSegs"
                | "OutRsts"
                | "PassiveOpens"
                | "RetransSegs"
                | "CurrEstab"
        ),
        "Udp" | "Udp6" => matches!(
            name,
            "InDatagrams" | "OutDatagrams" | "NoPorts" | "RcvbufErrors" | "SndbufErrors"
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::collect;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;

    fn check(netstat: &str, snmp: &str, snmp6: Option<&str>) -> Result<Vec<String>, String> {
        let mut files = vec![("proc/net/netstat", netstat), ("proc/net/snmp", snmp)];
        files.extend(snmp6.map(|text| ("proc/net/snmp6", text)));
        let (_root, paths) = machine(&files);
        let mut page = Page::default();
        collect(&paths, &mut page).map_err(|error| error.to_string())?;
        Ok(page_lines(page))
    }

    #[test]
    fn tables_and_lists_are_read() {
        let lines = check(
            "TcpExt: SyncookiesSent PruneCalled ListenDrops\nTcpExt: 1 2 3\n",
            "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: MaxConn CurrEstab\nTcp: -1 -2\n",
            Some("Ip6InOctets  \t4\nIp6InReceives 5\nUdpLite6InErrors 6\n"),
        );
        let expected = [
            "node_netstat_Ip6_InOctets{} 4",
            "node_netstat_Ip_Forwarding{} 1",
            "node_netstat_TcpExt_ListenDrops{} 3",
            "node_netstat_TcpExt_SyncookiesSent{} 1",
            "node_netstat_Tcp_CurrEstab{} -2.0",
            "node_netstat_UdpLite6_InErrors{} 6",
        ];
        assert_eq!(lines.unwrap(), expected);
        assert_eq!(check("", "", None).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let tables = [
            "Tcp: InErrs\n",
            "Tcp: InErrs\nTcp:\n",
            "Tcp: InErrs\nUdp: 1\n",
            "Tcp: InErrs\nTcp: x\n",
            "Tcp InErrs\nTcp 1\n",
        ];
        for table in tables {
            assert!(check(table, "", None).is_err(), "{table}");
            assert!(check("", table, None).is_err(), "{table}");
        }
        for list in ["Ip6InOctets\n", "Ip6InOctets x\n"] {
            assert!(check("", "", Some(list)).is_err(), "{list}");
        }
    }
}
