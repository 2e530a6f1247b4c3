//! What readers take of the heap.

use narthex_format::parse::{Event, Reader};

/// A page of counters without escapes.
fn page(counters: usize, end: &str) -> String {
    let mut page = "# HELP a A.\n# TYPE a counter\n".to_owned();
    for n in 0..counters {
        page += &format!("a_total{{method=\"get\",path=\"/{n}\"}} {n}.5\n");
    }
    page + end
}

/// Walks the page, looks at everything, and gives the number of allocations.
fn allocations(reader: Reader<'_>, counters: usize) -> u64 {
    let mut samples = 0;
    let heap = allocation_counter::measure(|| {
        for event in reader {
            if let Event::Sample(sample) = event.expect("a good page") {
                let labels = sample.labels().iter().map(|(name, value)| name.len() + value.len());
                assert!(labels.sum::<usize>() > 10 && sample.value().as_f64() >= 0.5);
                assert_eq!(
                    (sample.labels().get("method").as_deref(), sample.name()),
                    (Some("get"), "a_total")
                );
                samples += 1;
            }
        }
    });
    assert_eq!(samples, counters);
    heap.count_total
}

#[test]
fn a_reader_allocates_nothing_for_a_sample() {
    for counters in [10, 1000, 50_000] {
        let few = allocations(Reader::text(page(counters, "").as_bytes()), counters);
        assert!(few <= 8, "{few} allocations");
        let openmetrics = page(counters, "# EOF\n");
        let few = allocations(Reader::openmetrics(openmetrics.as_bytes()), counters);
        assert!(few <= 8, "{few} allocations");
    }
}
