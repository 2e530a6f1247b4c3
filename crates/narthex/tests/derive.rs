//! What `derive(Labels)` and `derive(LabelValue)` make of a type.

// The user's lints hold for the code that the derives emit: none of it may trip them.
#![deny(
    deprecated,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    missing_docs,
    single_use_lifetimes,
    unused,
    unused_lifetimes,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
#![allow(unused_crate_dependencies, reason = "a test uses what it needs")]

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use narthex::{Counter, Family, LabelValue, LabelVisitor, Labels, RegisterError, Registry};

/// Reads labels as a family does: it holds them for ever and is asked with borrowed ones.
fn check<L: Labels>(labels: &L::Borrowed<'_>, expected: &[(&str, &str)]) {
    let values = labels.visit(Join);
    let names = <L::Borrowed<'_>>::NAMES.iter().copied();
    let read = names.zip(values.iter().map(String::as_str)).collect::<Vec<_>>();
    assert_eq!(read, expected);
    assert_eq!(L::NAMES, <L::Borrowed<'_>>::NAMES);
}

fn check_text(value: &impl LabelValue, expected: &str) {
    assert_eq!(value.text().as_ref(), expected);
}

struct Join;

impl LabelVisitor for Join {
    type Output = Vec<String>;

    fn values<const N: usize>(self, values: [&str; N]) -> Vec<String> {
        values.map(str::to_owned).to_vec()
    }
}

#[derive(LabelValue)]
enum Method {
    Get,
    Post,
}

#[derive(Labels)]
struct Request<'a> {
    path: &'a str,
    method: Method,
    status: u16,
}

#[test]
fn labels_are_the_fields_sorted_by_name() {
    let path = String::from("/a");
    let request = Request { path: &path, method: Method::Get, status: 200 };
    check::<Request<'static>>(&request, &[("method", "get"), ("path", "/a"), ("status", "200")]);
}

#[test]
fn a_family_is_asked_with_borrowed_labels() -> Result<(), RegisterError> {
    let registry = Registry::new();
    let requests: Family<Counter, Request<'static>> =
        Family::builder("requests_total", "Requests served.").register(&registry)?;

    let path = String::from("/a");
    requests.with(&Request { path: &path, method: Method::Post, status: 404 }).inc();
    drop(path);

    let labels = [("method", "post"), ("path", "/a"), ("status", "404")];
    assert_eq!(registry.gather().value("requests_total", &labels), Some(1.0));
    Ok(())
}

#[test]
fn sets_of_few_values_have_a_number_each() {
    #[derive(LabelValue)]
    enum Zone {
        East,
        West,
        North,
    }

    #[derive(LabelValue)]
    struct Wrapped(Zone);

    #[derive(Labels)]
    struct Closed {
        zone: Wrapped,
        method: Option<Method>,
        secure: bool,
    }

    #[derive(Labels)]
    struct Open {
        zone: Zone,
        status: u16,
    }

    #[derive(Labels)]
    struct Shown {
        #[label(display)]
        shown: bool,
    }

    assert_eq!(Zone::CARDINALITY, Some(3));
    assert_eq!(Wrapped::CARDINALITY, Some(3));
    assert_eq!(Closed::CARDINALITY, Some(3 * 3 * 2));
    assert_eq!((Open::CARDINALITY, Shown::CARDINALITY), (None, None));
    check::<Open>(&Open { zone: Zone::East, status: 1 }, &[("status", "1"), ("zone", "east")]);
    check::<Shown>(&Shown { shown: true }, &[("shown", "true")]);

    let mut numbers = Vec::new();
    for zone in [|| Zone::East, || Zone::West, || Zone::North] {
        for method in [|| None, || Some(Method::Get), || Some(Method::Post)] {
            for secure in [false, true] {
                numbers.push(Closed { zone: Wrapped(zone()), method: method(), secure }.index());
            }
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..18).collect::<Vec<_>>());

    let registry = Registry::new();
    let family: Family<Counter, Closed> =
        Family::builder("c_total", "C.").register(&registry).unwrap();
    for (zone, by) in [(Zone::East, 1), (Zone::West, 2), (Zone::East, 4)] {
        family.with(&Closed { zone: Wrapped(zone), method: None, secure: true }).inc_by(by);
    }
    let scrape = registry.gather();
    let value = |zone| scrape.value("c_total", &[("secure", "true"), ("zone", zone)]);
    assert_eq!((value("east"), value("west"), value("north")), (Some(5.0), Some(2.0), None));
}

#[test]
fn a_struct_without_lifetime_is_its_own_borrowed_form() {
    #[derive(Labels)]
    struct Job {
        queue: String,
        urgent: bool,
    }

    let job = Job { queue: "mail".to_owned(), urgent: true };
    check::<Job>(&job, &[("queue", "mail"), ("urgent", "true")]);
}

#[test]
fn a_unit_struct_has_no_labels() {
    #[derive(Labels)]
    struct NoLabels;

    #[derive(Labels)]
    struct Empty {}

    check::<NoLabels>(&NoLabels, &[]);
    check::<Empty>(&Empty {}, &[]);
}

#[test]
fn a_renamed_field_is_sorted_under_its_new_name() {
    #[derive(Labels)]
    struct Renamed {
        #[label(rename = "z")]
        a: u8,
        b: u8,
        r#type: u8,
    }

    check::<Renamed>(&Renamed { a: 1, b: 2, r#type: 3 }, &[("b", "2"), ("type", "3"), ("z", "1")]);
}

#[test]
fn a_skipped_field_is_no_label() {
    #[derive(Labels)]
    struct Skipping {
        kept: u8,
        #[label(skip)]
        skipped: Option<Vec<f64>>,
    }

    let labels = Skipping { kept: 1, skipped: Some(vec![0.5]) };
    check::<Skipping>(&labels, &[("kept", "1")]);
    assert_eq!(labels.skipped, Some(vec![0.5]));
}

#[test]
fn an_absent_option_is_an_empty_value() {
    #[derive(Labels)]
    struct Shard<'a> {
        zone: Option<&'a str>,
        number: Option<u8>,
    }

    check::<Shard<'static>>(
        &Shard { zone: None, number: Some(3) },
        &[("number", "3"), ("zone", "")],
    );
    check::<Shard<'static>>(
        &Shard { zone: Some("b"), number: None },
        &[("number", ""), ("zone", "b")],
    );
}

#[test]
fn a_displayed_field_needs_display_alone() {
    #[derive(Labels)]
    struct Connection<'a> {
        #[label(display)]
        peer: IpAddr,
        #[label(display, rename = "bytes")]
        ratio: &'a f64,
    }

    let connection = Connection { peer: Ipv4Addr::LOCALHOST.into(), ratio: &0.5 };
    check::<Connection<'static>>(&connection, &[("bytes", "0.5"), ("peer", "127.0.0.1")]);
}

#[test]
fn sixteen_labels_fit() {
    #[derive(Labels)]
    #[rustfmt::skip]
    struct Wide {
        p: u8, o: u8, n: u8, m: u8, l: u8, k: u8, j: u8, i: u8,
        h: u8, g: u8, f: u8, e: u8, d: u8, c: u8, b: u8, a: u8,
    }

    #[rustfmt::skip]
    let wide = Wide {
        a: 0, b: 1, c: 2, d: 3, e: 4, f: 5, g: 6, h: 7,
        i: 8, j: 9, k: 10, l: 11, m: 12, n: 13, o: 14, p: 15,
    };
    let values = wide.visit(Join);
    assert_eq!(values, (0..16).map(|number: u8| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn type_parameters_get_the_bounds_that_their_labels_need() {
    #[derive(Labels)]
    struct Generic<M, D, S, const N: usize> {
        method: M,
        again: Option<M>,
        #[label(display)]
        ratio: D,
        #[label(skip)]
        rest: [S; N],
    }

    /// No label value, nor anything else.
    struct Opaque;

    let labels =
        Generic { method: Method::Post, again: None, ratio: 0.5, rest: [const { Opaque }; 2] };
    check::<Generic<Method, f64, Opaque, 2>>(
        &labels,
        &[("again", ""), ("method", "post"), ("ratio", "0.5")],
    );
    assert_eq!(labels.rest.len(), 2);
}

#[test]
fn bounds_reach_what_a_parameter_projects_to() {
    trait Api {
        type Method;
        type Version;
    }

    struct V1;

    impl Api for V1 {
        type Method = Method;
        type Version = u8;
    }

    #[derive(Labels)]
    struct Call<A: Api> {
        method: A::Method,
        version: Option<<A as Api>::Version>,
    }

    let call = Call::<V1> { method: Method::Get, version: Some(1) };
    check::<Call<V1>>(&call, &[("method", "get"), ("version", "1")]);
}

#[test]
fn every_lifetime_becomes_that_of_the_lookup() {
    #[derive(Labels)]
    struct Query<'db, 'sql: 'db, T: ToOwned + ?Sized> {
        database: &'db str,
        statement: Cow<'sql, str>,
        table: Cow<'db, T>,
    }

    let (database, statement) = (String::from("main"), String::from("select"));
    let query: Query<'_, '_, str> = Query {
        database: &database,
        statement: statement.as_str().into(),
        table: Cow::Borrowed("users"),
    };
    check::<Query<'static, 'static, str>>(
        &query,
        &[("database", "main"), ("statement", "select"), ("table", "users")],
    );
}

#[test]
fn a_parameter_away_from_lifetimes_may_borrow() {
    #[derive(Labels)]
    struct Tagged<'a, T> {
        path: &'a str,
        tag: T,
    }

    let tag = String::from("x");
    let tagged = Tagged { path: "/", tag: tag.as_str() };
    assert_eq!(tagged.visit(Join), ["/", "x"]);
}

#[test]
fn a_parameter_behind_a_lifetime_may_be_owned() {
    #[derive(Labels)]
    struct Behind<'a, T, U: 'a, V> {
        direct: &'a T,
        bound: U,
        by_clause: V,
    }

    #[derive(Labels)]
    struct Clause<'a, T>
    where
        T: 'a,
    {
        path: &'a str,
        tag: T,
    }

    let labels = Behind { direct: &Method::Get, bound: 1_u8, by_clause: 'c' };
    check::<Behind<'static, Method, u8, char>>(
        &labels,
        &[("bound", "1"), ("by_clause", "c"), ("direct", "get")],
    );
    check::<Clause<'static, u8>>(&Clause { path: "/", tag: 1 }, &[("path", "/"), ("tag", "1")]);
}

#[test]
fn variants_are_written_in_snake_case() {
    #[derive(LabelValue)]
    enum Outcome {
        Done,
        NotFound,
        TLSError,
        Http2,
        r#Else,
    }

    check_text(&Outcome::Done, "done");
    check_text(&Outcome::NotFound, "not_found");
    check_text(&Outcome::TLSError, "tls_error");
    check_text(&Outcome::Http2, "http2");
    check_text(&Outcome::Else, "else");
}

#[test]
fn rename_all_sets_the_rule_and_rename_the_exception() {
    #[derive(LabelValue)]
    #[label(rename_all = "SCREAMING-KEBAB-CASE")]
    enum Outcome {
        NotFound,
        #[label(rename = "5xx \"server\"")]
        ServerError,
        #[label(rename = "")]
        Unknown,
    }

    check_text(&Outcome::NotFound, "NOT-FOUND");
    check_text(&Outcome::ServerError, "5xx \"server\"");
    check_text(&Outcome::Unknown, "");
}

#[test]
fn the_text_of_a_variant_outlives_the_value() {
    let text: &'static str = Method::Get.text();
    assert_eq!(text, "get");
}

#[test]
fn a_variant_may_have_any_name_and_any_empty_shape() {
    #[derive(LabelValue)]
    enum Awkward {
        Text,
        Output(),
        Borrowed {},
        Err,
    }

    check_text(&Awkward::Text, "text");
    check_text(&Awkward::Output(), "output");
    check_text(&Awkward::Borrowed {}, "borrowed");
    check_text(&Awkward::Err, "err");
}

#[test]
fn an_enum_without_variants_is_a_label_value() {
    #[derive(LabelValue)]
    enum Never {}

    check_text(&None::<Never>, "");
}

#[test]
fn a_newtype_has_the_text_of_its_field() {
    #[derive(LabelValue)]
    struct Shard(u16);

    #[derive(LabelValue)]
    struct Path<'a> {
        text: &'a str,
    }

    #[derive(LabelValue)]
    struct Wrapper<T>(Option<T>);

    check_text(&Shard(7), "7");
    check_text(&Path { text: "/a" }, "/a");
    check_text(&Wrapper(Some(Method::Get)), "get");
}

#[test]
fn display_gives_the_text_of_types_of_any_shape() {
    #[derive(LabelValue)]
    #[label(display)]
    enum Status {
        Known(u16),
        Other,
    }

    impl fmt::Display for Status {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Known(code) => write!(f, "{code:03}"),
                Self::Other => f.write_str("other"),
            }
        }
    }

    #[derive(LabelValue)]
    #[label(display)]
    struct Pair<'a, T>(&'a str, T);

    impl<T: fmt::Display> fmt::Display for Pair<'_, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}:{}", self.0, self.1)
        }
    }

    #[derive(LabelValue)]
    struct Peer(#[label(display)] IpAddr);

    check_text(&Status::Known(7), "007");
    check_text(&Status::Other, "other");
    check_text(&Pair("a", 1), "a:1");
    check_text(&Some(Peer(Ipv4Addr::LOCALHOST.into())), "127.0.0.1");
}

#[test]
fn the_crate_may_be_elsewhere() {
    mod vendored {
        #![allow(unreachable_pub, reason = "stands for another crate")]

        pub mod deep {
            pub use narthex::*;
        }
    }

    /// Shadows the crate's name, as a local module may.
    mod narthex {}

    #[derive(Labels)]
    #[narthex(crate = "vendored::deep")]
    struct Quoted {
        side: Side,
    }

    #[derive(LabelValue)]
    #[narthex(crate = vendored::deep)]
    enum Side {
        Left,
    }

    check::<Quoted>(&Quoted { side: Side::Left }, &[("side", "left")]);
}

mod reexport {
    #![allow(unreachable_pub, reason = "stands for the root of another crate")]

    pub use narthex as metrics;
}

#[test]
fn a_macro_of_another_crate_may_say_where_the_crate_is() {
    macro_rules! declare {
        ($name:ident { $field:ident: $ty:ty }) => {
            #[derive(Labels)]
            #[narthex(crate = $crate::reexport::metrics)]
            struct $name {
                $field: $ty,
            }
        };
    }
    declare!(Declared { zone: char });

    check::<Declared>(&Declared { zone: 'a' }, &[("zone", "a")]);
}

#[test]
fn names_of_the_user_do_not_meet_those_of_the_derive() {
    mod shadows {
        #![allow(dead_code, non_camel_case_types, unreachable_pub, reason = "they must be ignored")]

        use ::narthex as real;

        struct String;
        struct str;
        trait AsRef {}
        trait ToString {}
        trait Labels {}
        trait LabelValue {}
        trait LabelVisitor {}
        mod core {}
        mod std {}

        #[derive(real::Labels)]
        pub struct Hostile<'a, 'borrowed, V, Output, const N: usize> {
            pub visitor: V,
            pub values: Output,
            pub text: &'a ::core::primitive::str,
            #[label(display)]
            pub self_: &'borrowed u8,
        }
    }

    let labels = shadows::Hostile::<_, _, 3> { visitor: 'v', values: 1_u8, text: "t", self_: &2 };
    check::<shadows::Hostile<'static, 'static, char, u8, 3>>(
        &labels,
        &[("self_", "2"), ("text", "t"), ("values", "1"), ("visitor", "v")],
    );
}

#[test]
fn macros_may_declare_the_types() {
    macro_rules! declare {
        ($name:ident, $field:ident: $ty:ty, $label:literal, $variant:ident) => {
            #[derive(Labels)]
            struct $name<'a> {
                #[label(rename = $label)]
                $field: $ty,
                fixed: &'a str,
                side: Side,
            }

            #[derive(LabelValue)]
            #[label(rename_all = "UPPERCASE")]
            enum Side {
                $variant,
            }
        };
    }
    declare!(Declared, field: Option<u8>, "renamed", Left);

    let labels = Declared { field: Some(1), fixed: "f", side: Side::Left };
    check::<Declared<'static>>(&labels, &[("fixed", "f"), ("renamed", "1"), ("side", "LEFT")]);
}

/// Deprecated parts and public types do not make the derives warn.
pub mod public {
    use super::{LabelValue, Labels};

    /// A public value.
    #[derive(Debug, LabelValue)]
    pub enum Kind {
        /// A variant.
        #[deprecated]
        Old,
        /// Another.
        New,
    }

    /// A public set of labels.
    #[derive(Debug, Labels)]
    pub struct Things<'a, T = u8> {
        /// A field.
        pub kind: Kind,
        /// A deprecated one.
        #[deprecated]
        pub name: &'a str,
        /// A generic one.
        pub tag: T,
    }
}

#[test]
#[expect(deprecated, reason = "the derive must not warn where this would")]
fn deprecated_parts_are_labels_without_a_warning() {
    let things = public::Things { kind: public::Kind::Old, name: "n", tag: 1_u8 };
    check::<public::Things<'static>>(&things, &[("kind", "old"), ("name", "n"), ("tag", "1")]);
    check_text(&public::Kind::New, "new");
}
