//! G20: text that wants to be a script, in every place of the landing page where text comes from
//! elsewhere.

use std::fmt::Write as _;

use narthex_core::Registry;
use narthex_http::{MetricsService, ScrapeContext, ScrapeEngine, Server, Site};
use narthex_test::Chromedriver;
use serde_json::Value;
use thirtyfour::WebDriver;

use crate::{DESK, open};

/// The places that a payload is put into at once.
const PLACES: usize = 8;
/// What wants to run.
const SCRIPTS: [&str; 20] = [
    "<script>SPRING</script>",
    "<ScRiPt >SPRING</sCrIpT >",
    "<script src=data:text/javascript,SPRING></script>",
    "<img src=x onerror=SPRING>",
    "<img/src=`x`onerror=SPRING>",
    "<svg onload=SPRING>",
    "<svg><animate onbegin=SPRING attributeName=x dur=1s>",
    "<body onload=SPRING>",
    "<details open ontoggle=SPRING>",
    "<input autofocus onfocus=SPRING>",
    "<iframe srcdoc=\"&lt;script&gt;parent.SPRING&lt;/script&gt;\"></iframe>",
    "<iframe src=javascript:parent.SPRING></iframe>",
    "<object data=javascript:SPRING></object>",
    "<a href=javascript:SPRING autofocus>x</a>",
    "<form action=javascript:SPRING><button autofocus>x</button></form>",
    "<math><mtext></table><img src=x onerror=SPRING>",
    "<style>@import 'javascript:SPRING';</style>",
    "<meta http-equiv=refresh content=\"0;url=javascript:SPRING\">",
    "<base href=javascript:SPRING//>",
    "<video><source onerror=SPRING>",
];

/// How they try to get out of where they are.
const EXITS: [&str; 25] = [
    "",
    "\">",
    "'>",
    "\"'>",
    "</title>",
    "</style>",
    "</h1>",
    "</td></tr></table>",
    "</dd></dl>",
    "</small></a></nav>",
    "-->",
    "--!>",
    "]]>",
    "<!--",
    "</textarea></noscript></script>",
    "&quot;>",
    "&#34;&#62;",
    "&lt;/title&gt;",
    "\u{0}\">",
    "\r\n\">",
    "\u{2028}\">",
    "\u{feff}\">",
    "\u{ff1e}\u{202e}\">",
    "\" onmouseover=SPRING x=\"",
    "' autofocus onfocus=SPRING x='",
];

fn payloads() -> impl Iterator<Item = String> {
    let pairs = EXITS.iter().flat_map(|exit| SCRIPTS.iter().map(move |script| (exit, script)));
    pairs.map(|(exit, script)| format!("{exit}{script}").replace("SPRING", "window.sprung=1"))
}

/// What an honest page looks like, and a hostile one must: which elements there are, what would
/// run, and where links lead.
const LOOK: &str = "\
    const all = [...document.querySelectorAll('*')];\
    const handlers = all.flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on'));\
    const links = [...document.links].map(a => new URL(a.href).protocol);\
    return [window.sprung ?? 0, all.map(e => e.tagName).join(' '), handlers.length,\
        [...new Set(links)].join(' '), document.querySelector('h1').textContent];";

async fn look(browser: &WebDriver, site: Site) -> Vec<Value> {
    let running = Server::bind("127.0.0.1:0").await.unwrap().serve(site);
    let url = running.metrics_url();
    let home = url.split_inclusive('/').take(3).collect::<String>();
    browser.goto(&home).await.unwrap();
    // An open dialogue is an error of the next command.
    let look = browser.execute(LOOK, Vec::new()).await.unwrap();
    running.shutdown().await.unwrap();
    look.json().as_array().unwrap().clone()
}

/// The text as a path can have it: what it cannot have as it is is encoded.
fn path(text: &str) -> String {
    text.bytes().fold("/".to_owned(), |mut path, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'\'' | b'=' | b'(' | b')' | b':' | b';' => {
                path.push(byte.into());
            }
            _ => write!(path, "%{byte:02x}").unwrap(),
        }
        path
    })
}

fn site(text: &str) -> Site {
    let engine = ScrapeEngine::builder(Registry::new())
        .source(text, |_: ScrapeContext| async {})
        .build()
        .unwrap();
    let route = MetricsService::new(Registry::new());
    Site::new(MetricsService::new(engine))
        .name(text)
        .version(text)
        .description(text)
        .detail(text, text)
        .metrics_path(path(&format!("m{text}")))
        .unwrap()
        .route(path(&format!("javascript:{text}")), route)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g20_real_chromium_runs_no_script_of_some_hostile_text() {
    // Every script and every exit, but not each with each.
    check(payloads().step_by(11)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute"]
async fn g20_real_chromium_runs_no_script_of_500_hostile_texts() {
    check(payloads()).await;
}

async fn check(payloads: impl Iterator<Item = String>) {
    let Some(driver) = Chromedriver::start() else { return };
    let browser = open(&driver, DESK).await;
    let honest = look(&browser, site("honest")).await;
    assert_eq!(honest[0..3], [0.into(), honest[1].clone(), 0.into()]);
    let (mut sprung, mut tried) = (0, 0);
    for payload in payloads {
        let found = look(&browser, site(&payload)).await;
        tried += PLACES;
        // HTML has neither of these characters; all others must be seen as they are.
        let seen = payload.replace('\0', "").replace("\r\n", "\n");
        let shown = found[4].as_str().unwrap().replace('\u{fffd}', "");
        if found[0..4] != honest[0..4] || shown != format!("{seen}{seen}") {
            println!("{payload:?}: {found:?}");
            sprung += 1;
        }
    }
    browser.quit().await.unwrap();
    println!("G20: hostile strings in {tried} places: {sprung} were more than text, limit 0");
    println!("{}", if sprung == 0 { "PASS" } else { "FAIL" });
    assert!(tried > 0 && sprung == 0);
}
