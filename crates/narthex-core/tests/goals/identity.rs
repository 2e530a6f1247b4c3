//! G11: two label sets are one series only if they are equal.

use std::collections::HashMap;

use narthex_core::{Counter, DynamicFamily, Registry};

use crate::{Random, report};

#[test]
fn g11_hostile_label_values_are_kept_apart() {
    tuples(20_000);
}

#[test]
#[ignore = "long"]
fn g11_1_000_000_tuples_of_hostile_label_values_are_kept_apart() {
    tuples(1_000_000);
}

type Tuple = [String; 3];

/// Pieces that separators, escapes, paddings and joined hashes get wrong.
const PIECES: [&str; 24] = [
    "",
    "a",
    "b",
    "ab",
    "c",
    "\0",
    "\0\0",
    "\n",
    "\r\n",
    "\"",
    "\\",
    "\\n",
    ",",
    "=",
    "{",
    "}",
    "\u{2028}",
    "\u{feff}",
    "é",
    "e\u{301}",
    "\u{10ffff}",
    "\u{7f}",
    "1234567",
    "0123456789abcdef0123456789abcdef",
];

fn tuples(number: usize) {
    let registry = Registry::new();
    let family = DynamicFamily::<Counter>::builder("f_total", "F.")
        .label_names(["a", "b", "c"])
        .register(&registry)
        .unwrap();
    // Sets that others have taken for one: joined without a separator, and two with one FNV hash.
    let known = [
        ["ab", "c", ""],
        ["a", "bc", ""],
        ["", "abc", ""],
        ["77kepQFQ8Kl", "", ""],
        ["!0IC=VloaY", "", ""],
        ["", "", ""],
    ];
    let mut expected: HashMap<Tuple, u64> = HashMap::new();
    let mut random = Random(7);
    for n in 0..number {
        let tuple = match known.get(n) {
            Some(tuple) => tuple.map(str::to_owned),
            None => std::array::from_fn(|_| hostile(&mut random)),
        };
        let count = n as u64 % 5 + 1;
        let [a, b, c] = &tuple;
        family.with(&[a, b, c]).unwrap().inc_by(count);
        *expected.entry(tuple).or_default() += count;
    }

    let scrape = registry.gather();
    let exported = scrape.family("f_total").unwrap();
    let mut wrong = 0;
    let values: Vec<f64> = (0..exported.len())
        .map(|series| match exported.values().value(series) {
            Some(narthex_core::model::Value::Number(number)) => number.as_f64(),
            other => panic!("not a number: {other:?}"),
        })
        .collect();
    exported.series().for_each_slice(|series, fragments| {
        let tuple: Vec<String> =
            fragments.iter().map(|fragment| fragment.value().into_owned()).collect();
        let tuple: Option<Tuple> = tuple.try_into().ok();
        let count = tuple.and_then(|tuple| expected.get(&tuple).copied());
        wrong += usize::from(count.map(|count| count as f64) != Some(values[series]));
    });
    let measured = format!("series of {number} hostile tuples");
    let distinct = expected.len();
    report("G11", &measured, exported.len(), distinct, exported.len() == distinct);
    report("G11", "series with a wrong value or labels nobody gave", wrong, 0, wrong == 0);
}

fn hostile(random: &mut Random) -> String {
    (0..random.below(5)).map(|_| PIECES[random.below(PIECES.len())]).collect()
}
