//! `netdev`: `/proc/net/dev`.

use narthex_model::{FamilyBuilder, MetricFamily};

use crate::error::CollectError;
use crate::page::Page;
use crate::paths::{Paths, Text};
use crate::pattern::Exclude;

/// The collector.
#[derive(Debug)]
pub(crate) struct NetDevices {
    pub(crate) excluded: Exclude,
}

impl NetDevices {
    pub(crate) fn collect(&self, paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
        let text = paths.proc("net/dev")?;
        let mut lines = text.lines().skip(1);
        let mut families = families(&text, lines.next().unwrap_or_default())?;
        for line in lines {
            // Some devices have a colon in their name; the numbers never do.
            let (device, values) =
                line.rsplit_once(':').ok_or_else(|| text.error(line, "a device and `:`"))?;
            let device = device.trim_ascii();
            if self.excluded.matches(device) {
                continue;
            }
            let values: Option<Vec<u64>> =
                values.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
            let values = values
                .filter(|values| values.len() == families.len())
                .ok_or_else(|| text.error(line, "a number for each column"))?;
            for (family, value) in families.iter_mut().zip(values) {
                family.push([device], value);
            }
        }
        families.into_iter().try_for_each(|family| page.push(family))
    }
}

/// A family for each column that the second line names, which is
/// `face |bytes packets ...|bytes packets ...`.
fn families(text: &Text, header: &str) -> Result<Vec<FamilyBuilder>, CollectError> {
    let mut parts = header.split('|').skip(1);
    let (Some(receive), Some(transmit), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(text.error(header, "columns of received and of transmitted data"));
    };
    let family = |direction: &str, column: &str| {
        let name = format!("node_network_{direction}_{column}_total");
        let help = format!("Network device statistic {direction}_{column}.");
        MetricFamily::counter(name, help).label_names(["device"])
    };
    let receive = receive.split_ascii_whitespace().map(|column| family("receive", column));
    let transmit = transmit.split_ascii_whitespace().map(|column| family("transmit", column));
    Ok(receive.chain(transmit).collect())
}

#[cfg(test)]
mod tests {
    use super::NetDevices;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;
    use crate::pattern::Exclude;

    const HEADER: &str = "Inter-|   Receive |  Transmit\n face |bytes errs|bytes colls\n";

    fn collect(lines: &str) -> Result<Vec<String>, String> {
        check(&format!("{HEADER}{lines}"))
    }

    fn check(text: &str) -> Result<Vec<String>, String> {
        let (_root, paths) = machine(&[("proc/net/dev", text)]);
        let devices = NetDevices { excluded: Exclude::new("devices", "^veth").unwrap() };
        let mut page = Page::default();
        devices.collect(&paths, &mut page).map_err(|error| error.to_string())?;
        Ok(page_lines(page))
    }

    #[test]
    fn columns_become_families() {
        let lines = collect("  eth0:18446744073709551615  2 3    4\nveth1: 1 1 1 1\n").unwrap();
        let expected = [
            "node_network_receive_bytes_total{device=\"eth0\"} 18446744073709551615",
            "node_network_receive_errs_total{device=\"eth0\"} 2",
            "node_network_transmit_bytes_total{device=\"eth0\"} 3",
            "node_network_transmit_colls_total{device=\"eth0\"} 4",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_device_may_have_a_colon_in_its_name() {
        assert!(collect("eth0:1: 1 2 3 4\n").unwrap()[0].contains("device=\"eth0:1\""));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for lines in ["eth0 1 2 3 4\n", "eth0: 1 2 3\n", "eth0: 1 2 3 4 5\n", "eth0: 1 2 x 4\n"] {
            assert!(collect(lines).is_err(), "{lines}");
        }
        for text in ["", "Inter-|\n", "a|b|c\n face |bytes\n", "a|b\n face |a|b|c\n"] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
