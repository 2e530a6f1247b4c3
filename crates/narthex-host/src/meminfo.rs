//! `meminfo`: every line of `/proc/meminfo`.

use narthex_model::{MetricFamily, Number};

use crate::error::CollectError;
use crate::page::{Page, scaled};
use crate::paths::Paths;

pub(crate) fn collect(paths: &Paths, page: &mut Page) -> Result<(), CollectError> {
    let text = paths.proc("meminfo")?;
    for line in text.lines() {
        let field = parse(line).ok_or_else(|| text.error(line, "a name, `:` and a number"))?;
        if let Field { name, value: Some(value) } = field {
            let help = format!("Memory information field {name}.");
            page.single(MetricFamily::gauge(format!("node_memory_{name}"), help), value)?;
        }
    }
    Ok(())
}

struct Field {
    name: String,
    /// Absent where the unit is one we do not know.
    value: Option<Number>,
}

fn parse(line: &str) -> Option<Field> {
    let (key, rest) = line.split_once(':')?;
    let mut name = metric_name(key);
    let mut words = rest.split_ascii_whitespace();
    let value: u64 = words.next()?.parse().ok()?;
    let value = match words.next() {
        None => Some(Number::Unsigned(value)),
        Some("kB") => {
            name.push_str("_bytes");
            Some(scaled(value, 1024))
        }
        Some(_) => None,
    };
    Some(Field { name, value })
}

/// `Active(anon)` is `Active_anon`, and so is anything else that a metric's name cannot hold.
fn metric_name(key: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    key.trim_ascii().trim_end_matches(')').chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::collect;
    use crate::page::Page;
    use crate::page::tests::page_lines;
    use crate::paths::tests::machine;

    fn check(meminfo: &str) -> Result<Vec<String>, String> {
        let (_root, paths) = machine(&[("proc/meminfo", meminfo)]);
        let mut page = Page::default();
        collect(&paths, &mut page).map_err(|error| error.to_string())?;
        Ok(page_lines(page))
    }

    #[test]
    fn names_and_units() {
        let cases = [
            ("MemTotal:   24684096 kB", "node_memory_MemTotal_bytes{} 25276514304"),
            ("Active(anon): 1 kB", "node_memory_Active_anon_bytes{} 1024"),
            ("HugePages_Total:       3", "node_memory_HugePages_Total{} 3"),
            ("Odd-key.1: 2", "node_memory_Odd_key_1{} 2"),
            ("Huge: 18446744073709551615 kB", "node_memory_Huge_bytes{} 1.888946593147858e22"),
        ];
        for (line, expected) in cases {
            assert_eq!(check(&format!("{line}\n")).unwrap(), [expected], "{line}");
        }
    }

    #[test]
    fn an_unknown_unit_is_left_out() {
        assert_eq!(check("A: 1 furlong\nB: 2\n").unwrap(), ["node_memory_B{} 2"]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in ["MemTotal", "MemTotal:", "MemTotal: x kB", "A: 1 kB\nMemFr", "A: -1 kB"] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
