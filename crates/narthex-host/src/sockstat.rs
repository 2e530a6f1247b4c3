//! `sockstat`: `/proc/net/sockstat` and `sockstat6`.

use narthex_model::{MetricFamily, Number};

use crate::error::CollectError;
use crate::page::{Page, scaled, signed};
use crate::paths::{Paths, Text};
use crate::system;

/// A kernel may lack one of the two protocols, though not both.
pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let v6 = paths.proc_if_present("net/sockstat6")?;
    match paths.proc("net/sockstat") {
        Ok(text) => collect_file(&text, page)?,
        Err(error) if error.is_not_found() && v6.is_some() => {}
        Err(error) => return Err(error),
    }
    v6.map_or(Ok(()), |text| collect_file(&text, page))
}

/// Each line is `TCP: inuse 1 orphan 0 ...`.
fn collect_file(text: &Text, page: &mut Page) -> Result<(), CollectError> {
    for line in text.lines() {
        let error = || text.error(line, "a protocol, `:` and names with numbers");
        let (protocol, pairs) = line.split_once(':').ok_or_else(error)?;
        let mut words = pairs.split_ascii_whitespace();
        while let Some(state) = words.next() {
            let value = words.next().and_then(signed).ok_or_else(error)?;
            push(protocol, state, value, page)?;
            if let ("mem", Number::Unsigned(pages)) = (state, value) {
                let page_size =
                    system::page_size().map_err(|error| CollectError::system("sysconf", error))?;
                push(protocol, "mem_bytes", scaled(pages, page_size), page)?;
            }
        }
    }
    Ok(())
}

fn push(protocol: &str, state: &str, value: Number, page: &mut Page) -> Result<(), CollectError> {
    let help = match (protocol, state) {
        ("sockets", "used") => "Number of IPv4 sockets in use.".to_owned(),
        _ => format!("Number of {protocol} sockets in state {state}."),
    };
    page.single(MetricFamily::gauge(format!("node_sockstat_{protocol}_{state}"), help), value)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::collect;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;
    use crate::system::page_size;

    fn check(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let (_root, paths) = machine(files);
        let mut page = Page::default();
        collect(&paths, &mut page).map_err(|error| error.to_string())?;
        Ok(page_lines(page))
    }

    #[test]
    fn both_protocols_are_read() {
        let v4 = ("proc/net/sockstat", "sockets: used 15\nTCP: inuse 1 mem 3\nUDP: mem -1\n");
        let v6 = ("proc/net/sockstat6", "TCP6: inuse 2\n");
        let bytes = format!("node_sockstat_TCP_mem_bytes{{}} {}", 3 * page_size().unwrap());
        let expected = [
            "node_sockstat_TCP6_inuse{} 2",
            "node_sockstat_TCP_inuse{} 1",
            &bytes,
            "node_sockstat_TCP_mem{} 3",
            "node_sockstat_UDP_mem{} -1.0",
            "node_sockstat_sockets_used{} 15",
        ];
        assert_eq!(check(&[v4, v6]).unwrap(), expected);
        assert_eq!(check(&[v6]).unwrap(), expected[..1]);
        assert_eq!(check(&[v4]).unwrap(), expected[1..]);
        assert!(check(&[]).is_err());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["TCP\n", "TCP: inuse\n", "TCP: inuse x\n"] {
            assert!(check(&[("proc/net/sockstat", text)]).is_err(), "{text}");
        }
    }
}
