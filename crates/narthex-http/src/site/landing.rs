//! The landing page.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use crate::gather::SourceStatus;

/// What the page shows.
pub(super) struct Landing<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) description: &'a str,
    /// Whether scrapes are welcome, in a word.
    pub(super) state: &'static str,
    pub(super) metrics_path: &'a str,
    pub(super) routes: Vec<&'a str>,
    pub(super) sources: Vec<SourceStatus>,
    pub(super) details: &'a [(String, String)],
    pub(super) running_for: Duration,
}

/// Colours of both schemes keep a contrast of 4.5 or more (WCAG 2.2, 1.4.3).
const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f6f7f6;--card:#fff;--line:#dcdfdc;--text:#1c2321;--soft:#55605c;\
--accent:#0b5f58;--good:#16653a;--bad:#a3231f}\
@media(prefers-color-scheme:dark){:root{--page:#121615;--card:#1a201e;--line:#2e3633;--text:#e6ebe9;\
--soft:#9aa6a1;--accent:#6fd0c2;--good:#7bcf9b;--bad:#f4978e}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif;\
overflow-wrap:anywhere}\
header,main{max-width:46rem;margin:0 auto;padding:0 1.25rem}\
header{padding-top:2.5rem}\
h1{margin:0;font-size:1.75rem;line-height:1.25;font-weight:650;letter-spacing:-.01em}\
h1 small{font-size:1rem;font-weight:400;letter-spacing:0;color:var(--soft);margin-left:.5rem}\
header p{margin:.5rem 0 0;color:var(--soft)}\
h2{margin:2rem 0 .6rem;font-size:.8125rem;font-weight:600;letter-spacing:.05em;\
text-transform:uppercase;color:var(--soft)}\
nav{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(9.5rem,100%),1fr));gap:.75rem;\
margin-top:1.75rem}\
a{color:var(--accent)}\
nav a,table,dl{background:var(--card);border:1px solid var(--line);border-radius:.5rem}\
nav a{display:block;padding:.7rem .9rem;text-decoration:none;font-weight:600}\
nav a:hover,nav a:focus-visible{border-color:var(--accent)}\
nav small{display:block;font:.8125rem/1.4 ui-monospace,monospace;color:var(--soft)}\
table{width:100%;border-spacing:0;font-size:.9375rem}\
th,td{padding:.5rem .9rem;text-align:left;vertical-align:top}\
th{font-weight:600;font-size:.8125rem;color:var(--soft)}\
td{border-top:1px solid var(--line)}\
td:nth-child(n+3),th:nth-child(n+3){text-align:right;white-space:nowrap;\
font-variant-numeric:tabular-nums}\
.good{color:var(--good)}.bad{color:var(--bad)}.soft{color:var(--soft)}\
dl{display:grid;grid-template-columns:minmax(6rem,max-content) 1fr;margin:0;padding:.4rem .9rem;\
gap:.25rem 1.5rem;font-size:.9375rem}\
dt{color:var(--soft)}dd{margin:0}\
footer{height:2.5rem}\
@media(max-width:30rem){header{padding-top:1.5rem}h1{font-size:1.4rem}\
th,td{padding:.5rem .6rem}td:last-child,th:last-child{display:none}}";

impl Landing<'_> {
    /// The page. Links are relative, so that they hold behind a proxy's prefix.
    pub(super) fn page(&self) -> String {
        let mut page = String::with_capacity(STYLE.len() + 4096);
        self.write(&mut page).expect("writing to a string does not fail");
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        let name = Escaped(self.name);
        write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{name}"
        )?;
        if !self.version.is_empty() {
            write!(page, "<small>{}</small>", Escaped(self.version))?;
        }
        writeln!(page, "</h1>")?;
        if !self.description.is_empty() {
            writeln!(page, "<p>{}</p>", Escaped(self.description))?;
        }
        writeln!(page, "</header>\n<main>")?;
        self.links(page)?;
        self.source_table(page)?;
        self.about(page)?;
        writeln!(page, "</main>\n<footer></footer>\n</body>\n</html>")
    }

    fn links(&self, page: &mut String) -> fmt::Result {
        writeln!(page, "<nav>")?;
        let built_in =
            [("Metrics", self.metrics_path), ("Health", "/-/healthy"), ("Readiness", "/-/ready")];
        for (text, path) in built_in {
            let path = Escaped(path);
            writeln!(page, "<a href=\".{path}\">{text}<small>{path}</small></a>")?;
        }
        for path in &self.routes {
            let (text, path) = (Escaped(path.trim_start_matches('/')), Escaped(path));
            writeln!(page, "<a href=\".{path}\">{text}<small>{path}</small></a>")?;
        }
        writeln!(page, "</nav>")
    }

    fn source_table(&self, page: &mut String) -> fmt::Result {
        if self.sources.is_empty() {
            return Ok(());
        }
        writeln!(
            page,
            "<h2>Sources</h2>\n<table>\n\
             <tr><th>Name</th><th>Last result</th><th>Took</th><th>When</th></tr>"
        )?;
        for source in &self.sources {
            let (class, result) = match (source.succeeded(), source.failure()) {
                (_, Some(cause)) => ("bad", format!("failed: {cause}")),
                (Some(_), None) => ("good", "ok".to_owned()),
                (None, None) => ("soft", "not asked yet".to_owned()),
            };
            let took = source.duration().map(|took| Span(took).to_string()).unwrap_or_default();
            let when = source.age().map(|age| format!("{} ago", Span(age))).unwrap_or_default();
            writeln!(
                page,
                "<tr><td>{}</td><td class=\"{class}\">{}</td><td>{}</td><td>{}</td></tr>",
                Escaped(source.name()),
                Escaped(&result),
                Escaped(&took),
                Escaped(&when)
            )?;
        }
        writeln!(page, "</table>")
    }

    fn about(&self, page: &mut String) -> fmt::Result {
        let running_for = match self.running_for.as_secs() {
            0..60 => "less than a minute".to_owned(),
            _ => Span(self.running_for).to_string(),
        };
        let state = if self.state == "ready" { "good" } else { "bad" };
        writeln!(
            page,
            "<h2>About</h2>\n<dl>\n<dt>State</dt><dd class=\"{state}\">{}</dd>\n\
             <dt>Running for</dt><dd>{running_for}</dd>",
            self.state,
        )?;
        for (name, value) in self.details {
            writeln!(page, "<dt>{}</dt><dd>{}</dd>", Escaped(name), Escaped(value))?;
        }
        writeln!(page, "</dl>")
    }
}

/// A time as people read it: one number and its unit, two where the first is small.
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.as_millis());
        match seconds {
            0 if self.0.as_micros() < 100 => f.write_str("< 0.1 ms"),
            0 if millis < 10 => write!(f, "{:.1} ms", self.0.as_secs_f64() * 1000.0),
            0 => write!(f, "{millis} ms"),
            1..10 => write!(f, "{:.1} s", self.0.as_secs_f64()),
            10..120 => write!(f, "{seconds} s"),
            120..7_200 => write!(f, "{} min", seconds / 60),
            7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            _ => write!(f, "{} days", seconds / 86_400),
        }
    }
}

/// Text as HTML, in elements and in quoted attributes.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..at])?;
            f.write_str(match rest.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Span;

    #[test]
    fn times_are_short() {
        for (millis, text) in [
            (0, "< 0.1 ms"),
            (3, "3.0 ms"),
            (10, "10 ms"),
            (999, "999 ms"),
            (1_500, "1.5 s"),
            (59_999, "59 s"),
            (119_000, "119 s"),
            (120_000, "2 min"),
            (7_200_000, "2 h"),
            (172_800_000, "2 days"),
        ] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
