//! How long the worst small pages take.

#![allow(clippy::print_stdout, reason = "tells what it measured")]

mod exercise;
mod hostile;

use std::time::Duration;

use exercise::FORMATS;
use hostile::{Random, Spec};
use narthex_format::lint::lint_page;
use narthex_format::parse::{Limits, Mode, Syntax, check, parse};
use narthex_model::Scrape;

const LONGEST: usize = 10 << 10;
const LIMIT: Duration = Duration::from_millis(50);

#[test]
fn pages_made_to_be_slow_are_at_most_ten_kibibytes_long() {
    for (name, syntax, page) in slow_pages() {
        assert!((LONGEST / 2..=LONGEST).contains(&page.len()), "{name}: {}", page.len());
        // Each of them is either a good page or found to be a bad one.
        let faults = check(syntax, &page, Mode::Lenient, &Limits::default());
        assert_eq!(parse(syntax, &page, Mode::Lenient).is_ok(), faults.is_empty(), "{name}");
    }
}

/// See `docs/reliability.md` for the command.
#[test]
#[ignore = "measures"]
fn no_page_of_ten_kibibytes_takes_50_milliseconds() {
    let mut worst = Duration::ZERO;
    for (name, syntax, page) in slow_pages() {
        let took = longest_call(syntax, &page, 20);
        println!("{name:44} {:8.3} ms", took.as_secs_f64() * 1e3);
        worst = worst.max(took);
    }
    let mut random = Random::new(3);
    let mut hostile = Duration::ZERO;
    for _ in 0..20_000 {
        let format = random.pick(&FORMATS);
        let mut page = Vec::new();
        while page.len() < LONGEST / 2 {
            let specs: Vec<_> = (0..8).map(|_| Spec::random(&mut random)).collect();
            let families = specs.iter().filter_map(|spec| spec.build().ok()).collect();
            format.encode(&Scrape::new(families), &mut page);
        }
        page.truncate(LONGEST);
        for _ in 0..random.below(8) {
            let at = random.below(page.len());
            page[at] = random.next() as u8;
        }
        hostile = hostile.max(longest_call(format.into(), &page, 1));
    }
    println!("{:44} {:8.3} ms", "20,000 hostile pages", hostile.as_secs_f64() * 1e3);
    worst = worst.max(hostile);
    println!("the longest call took {worst:?} of CPU, {LIMIT:?} are allowed");
    assert!(worst < LIMIT);
}

/// The CPU time of the longest call that reads the page, each made `times` times, for the clock may
/// tick only every 4 ms.
fn longest_call(syntax: Syntax, page: &[u8], times: u32) -> Duration {
    let mut longest = Duration::ZERO;
    for mode in [Mode::Strict, Mode::Lenient] {
        let calls: [&dyn Fn(); 3] = [
            &|| drop(parse(syntax, page, mode)),
            &|| drop(check(syntax, page, mode, &Limits::default())),
            &|| drop(lint_page(syntax, page, mode)),
        ];
        for call in calls {
            let start = cpu_time();
            (0..times).for_each(|_| call());
            longest = longest.max((cpu_time() - start) / times);
        }
    }
    longest
}

/// What this thread has had of a core.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

/// Pages with as much as fits of what might cost more than its length.
fn slow_pages() -> Vec<(&'static str, Syntax, Vec<u8>)> {
    let mut pages = Vec::new();
    let mut add = |name, page: &dyn Fn(usize) -> String| {
        for (syntax, end) in [(Syntax::Text, ""), (Syntax::OpenMetrics, "# EOF\n")] {
            let mut text = String::new();
            for part in (0..).map(page) {
                if text.len() + part.len() + end.len() > LONGEST {
                    break;
                }
                text.push_str(&part);
            }
            text.push_str(end);
            pages.push((name, syntax, text.into_bytes()));
        }
    };
    add("families of one sample", &|n| format!("a{n} 1\n"));
    add("types without samples", &|n| format!("# TYPE a{n} histogram\n"));
    add("a label name for each series", &|n| format!("a{{b{n}=\"\u{e9}\"}} 1\n"));
    add("the same series again and again", &|_| "a{b=\"c\"} 1\n".to_owned());
    add("faults, each line one", &|_| "a{b=\"c} 1\n".to_owned());
    add("histograms with bounds of their own", &|n| {
        format!(
            "# TYPE h{n} histogram\nh{n}_bucket{{le=\"{n}\"}} 1\nh{n}_bucket{{le=\"+Inf\"}} 1\n\
             h{n}_sum 1\nh{n}_count 1\n"
        )
    });
    add("metrics of one histogram, interleaved", &|n| {
        let start = if n == 0 { "# TYPE h histogram\n" } else { "" };
        format!("{start}h_bucket{{a=\"{}\",le=\"{n}\"}} {n}\n", n % 7)
    });
    add("numbers of many digits", &|n| format!("a{n} 0.{}e-{n}\n", "3".repeat(700)));
    add("colliding names", &|n| format!("# TYPE a{} counter\n", "_total".repeat(n)));
    add("escapes", &|n| format!("a{{b=\"{}{n}\"}} 1\n", "\\\\\\n".repeat(200)));
    let labels: Vec<_> = (0..1024).map(|n| format!("a{n:03}=\"\"")).collect();
    let labels = format!("a{{{}}} 1\n", labels.join(","));
    pages.push(("as many labels as are allowed", Syntax::Text, labels.into_bytes()));
    let list = |item: &str| {
        let items = vec![item; (LONGEST - 100) / (item.len() + 1)].join(",");
        format!("{{\"families\":[{items}]}}").into_bytes()
    };
    pages.push(("JSON: families", Syntax::Json, list("{\"name\":\"a\",\"metrics\":[]}")));
    let metrics = |item: &str| {
        let items = vec![item; (LONGEST - 100) / (item.len() + 1)].join(",");
        let start = "{\"families\":[{\"name\":\"a\",\"type\":\"histogram\",\"metrics\":[";
        format!("{start}{items}]}}]}}").into_bytes()
    };
    let histogram = "{\"histogram\":{\"count\":0,\"sum\":0,\"buckets\":[]}}";
    pages.push(("JSON: one series again and again", Syntax::Json, metrics(histogram)));
    let members: Vec<_> = (0..1100).map(|n| format!("\"{n}\":0")).collect();
    let members = format!("{{{},\"families\":[]}}", members.join(","));
    pages.push(("JSON: members", Syntax::Json, members.into_bytes()));
    let delimited = |number: u8, message: &[u8]| {
        let mut field = vec![number << 3 | 2];
        push_varint(&mut field, message.len());
        field.extend_from_slice(message);
        field
    };
    let name = delimited(1, b"a");
    let mut family = name.clone();
    family.extend([0x18, 3].into_iter().chain([0x22, 2, 0x2a, 0].repeat(2500)));
    let mut page = Vec::new();
    push_varint(&mut page, family.len());
    page.extend_from_slice(&family);
    pages.push(("protobuf: one series again and again", Syntax::Protobuf, page));
    let spans = delimited(7, &[0x62, 4, 0x08, 2, 0x10, 0].repeat(1600));
    let family = [name, vec![0x18, 4], delimited(4, &spans)].concat();
    let mut page = Vec::new();
    push_varint(&mut page, family.len());
    page.extend_from_slice(&family);
    pages.push(("protobuf: spans of a native histogram", Syntax::Protobuf, page));
    let small = [3, 0x0a, 1, b'a'].repeat(2500);
    pages.push(("protobuf: families of one name", Syntax::Protobuf, small));
    pages
}

fn push_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
