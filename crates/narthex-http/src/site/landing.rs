//! The landing page.

use std::fmt;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1rem/1.5 system-ui,sans-serif}\
header{background:#c2410c;color:#fff;padding:1rem}\
h1{margin:0;font-size:1.5rem;overflow-wrap:anywhere}\
small{font-weight:400;margin-left:.5em}\
main{max-width:40rem;padding:1rem;overflow-wrap:anywhere}\
a{color:#c2410c}\
@media(prefers-color-scheme:dark){a{color:#ff9b7d}}\
li{padding:.25rem 0}";

/// The page at `/`. Links are relative, so that they hold behind a proxy's prefix.
pub(super) fn page(name: &str, version: &str, description: &str, metrics_path: &str) -> String {
    let (name, metrics_path) = (Escaped(name), Escaped(metrics_path));
    let version = match version {
        "" => String::new(),
        version => format!("<small>{}</small>", Escaped(version)),
    };
    let description = match description {
        "" => String::new(),
        description => format!("<p>{}</p>\n", Escaped(description)),
    };
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>{name}{version}</h1></header>
<main>
{description}<ul>
<li><a href=".{metrics_path}">Metrics</a></li>
<li><a href="./-/healthy">Health</a></li>
<li><a href="./-/ready">Readiness</a></li>
</ul>
</main>
</body>
</html>
"#
    )
}

/// Text as HTML, in elements and in quoted attributes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
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
