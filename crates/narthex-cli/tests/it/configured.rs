//! Files that describe what to export: those of upstream's documentation, and those with mistakes.

use narthex_test::{Endpoint, get};

use crate::support::{Directory, Page};

/// The file that prometheus_exporter comes with.
const METRICS: &str = "
# By default it will listen on 127.0.0.1:9999

#listen_ip = '0.0.0.0'
#listen_port = 80

[metrics.test]
type = \"counter\"
value = 1
help = \"test counter\"

[metrics.test.labels]
asdf = \"1234\"

[metrics.abcd]
type = \"gauge\"
value = 2
help = \"test gauge\"

[labels]
test = \"test\"
";

/// The first file in the readme of json_exporter, its hosts aside.
const JSON: &str = "
#listen_ip = '127.0.0.1'
#listen_port = 9809

cache_life = 300

# GET request example
[json.website]
endpoint = \"https://api.example.com\"

[json.website.headers]
auth_key = 'g5s9ZyklWpY/wRf6gai2DtC0GKUO9qsNYON+rkQzzbeD7Nmvn9UCg5hQMdtPN49x'

[json.website.metrics.test]
path = \"result.path.test\"
type = \"counter\"
help = \"Test counter\"

[json.website.metrics.example]
path = \"result.another.path.example\"
type = \"gauge\"
help = \"Example gauge\"

[json.website.json_labels]
api_user = \"response.user\"

# POST example

[json.website2]
endpoint = \"https://api.example2.com\"
cache_life = 60

[json.website2.post_data]
method = 'get_data'
api_key = 'aVDZvzwuT86KhFF33VkS95Ui/D1E37PDoShc6Wy9w1uTVMP776CP6AZHp5eyzcij'

[json.website2.metrics.example]
path = \"results.path.example\"
type = \"gauge\"
help = \"Example gauge\"
";

/// The second one.
const OPENWEATHER: &str = "
listen_ip = '0.0.0.0'
listen_port = '1234'

cache_life = 120

[json.openweather]
endpoint = 'https://api.openweathermap.org/data/2.5/weather'

[json.openweather.params]
appid = 'API KEY HERE'
lat = '1.23'
lon = '-4.56'

[json.openweather.metrics.ow_temp]
path = \"main.temp\"
type = \"gauge\"
help = \"Temperature in Kelvin\"

[json.openweather.metrics.ow_pressure]
path = \"main.pressure\"
type = \"gauge\"
help = \"Atmospheric pressure in hPa\"

[json.openweather.metrics.ow_humidity]
path = \"main.humidity\"
type = \"gauge\"
help = \"Humidity in %\"

[json.openweather.metrics.ow_feels_like]
path = \"main.feels_like\"
type = \"gauge\"
help = \"What the temperature feels like in Kelvin.\"

[json.openweather.json_labels]
city = 'name'
country = 'sys.country'
";

#[test]
fn c07_the_file_of_prometheus_exporter_runs_unchanged() {
    let page = Directory::new().write("config.toml", METRICS).run(&["config.toml"]).page();
    assert_eq!(page.value("test", &[("asdf", "1234"), ("test", "test")]), Some(1.0));
    assert_eq!(page.value("abcd", &[("test", "test")]), Some(2.0));
    assert_eq!((page.type_of("test"), page.type_of("abcd")), ("counter", "gauge"));
    assert!(page.text.contains("# HELP test test counter\n"), "{}", page.text);
}

#[test]
fn d10_the_files_of_json_exporter_run_unchanged() {
    let endpoint = Endpoint::json(
        r#"{"result": {"path": {"test": 0}, "another": {"path": {"example": 3}}},
            "results": {"path": {"example": 4}}, "response": {"user": "ann"},
            "main": {"temp": 1, "pressure": 2, "humidity": 3, "feels_like": 4},
            "name": "Oslo", "sys": {"country": "NO"}}"#,
    )
    .unwrap();
    for (toml, check) in [(JSON, false), (OPENWEATHER, true)] {
        // As it is, it is at least sound.
        let directory = Directory::new().write("config.toml", toml);
        let end = directory.end_of(&["run", "config.toml", "--config.check"], &[]);
        assert_eq!(end, (0, "settings are valid\n".to_owned(), String::new()));

        let here = toml
            .replace("https://api.example.com", &endpoint.url("/"))
            .replace("https://api.example2.com", &endpoint.url("/"))
            .replace("https://api.openweathermap.org", &endpoint.url(""));
        let page = Directory::new().write("config.toml", &here).run(&["config.toml"]).page();
        if check {
            let labels = [("city", "Oslo"), ("country", "NO"), ("endpoint", "openweather")];
            for (name, expected) in [
                ("ow_temp", 1.0),
                ("ow_pressure", 2.0),
                ("ow_humidity", 3.0),
                ("ow_feels_like", 4.0),
            ] {
                assert_eq!(page.value(name, &labels), Some(expected), "{}", page.text);
            }
        } else {
            let website = [("api_user", "ann"), ("endpoint", "website")];
            assert_eq!(page.value("test", &website), Some(0.0), "{}", page.text);
            assert_eq!(page.value("example", &website), Some(3.0));
            assert_eq!(page.value("example", &[("endpoint", "website2")]), Some(4.0));
        }
    }
    assert!(endpoint.requests().iter().any(|request| request.starts_with("POST ")));
}

#[test]
fn c04_a_family_has_one_header_whatever_its_series() {
    let endpoint = Endpoint::json(r#"{"a": [1, 2, 3]}"#).unwrap();
    let toml = format!(
        "[json.one]\nendpoint = '{0}'\nmetrics.m.path = 'a'\n\
         [json.two]\nendpoint = '{0}'\nmetrics.m.path = 'a'\n",
        endpoint.url("/")
    );
    // The page fails to parse where a header is repeated.
    let page = Directory::new().write("config.toml", &toml).run(&["config.toml"]).page();
    assert_eq!(page.values_of("m", "index").len(), 6, "{}", page.text);
    assert_eq!(page.text.matches("# TYPE m ").count(), 1);
}

#[test]
fn c02_values_types_and_names_are_those_of_the_file() {
    let toml = "[metrics.'two words']\ntype = 'Gauge'\nvalue = -1.5\n[metrics.plain]\n\
                [metrics.yes]\nvalue = true\n[metrics.inf]\nvalue = inf\n";
    let page = Directory::new().write("config.toml", toml).run(&["config.toml"]).page();
    assert_eq!(page.value("two_words", &[]), Some(-1.5));
    assert_eq!((page.value("plain", &[]), page.type_of("plain")), (Some(0.0), "untyped"));
    assert_eq!(page.value("yes", &[]), Some(1.0));
    assert_eq!(page.value("inf", &[]), Some(f64::INFINITY));
}

#[test]
fn c08_labels_of_a_metric_go_before_those_of_all() {
    let toml = "[labels]\nzone = 'all'\n[metrics.own]\nlabels = { zone = 'own' }\n[metrics.none]\n";
    let page = Directory::new().write("config.toml", toml).run(&["config.toml"]).page();
    assert_eq!(page.value("own", &[("zone", "own")]), Some(0.0), "{}", page.text);
    assert_eq!(page.value("none", &[("zone", "all")]), Some(0.0), "{}", page.text);
}

#[test]
fn the_machine_joins_where_the_file_has_host() {
    let toml = "[host]\ncpu = false\nprocfs = '/proc'\n[metrics.answer]\nvalue = 42\n";
    let page = Directory::new().write("config.toml", toml).run(&["config.toml"]).page();
    assert!(page.families.contains_key("node_load1"), "{}", page.text);
    assert!(!page.text.contains("node_cpu_seconds"), "{}", page.text);
    assert_eq!(page.value("answer", &[]), Some(42.0));

    let directory = Directory::new().write("config.toml", "[host]\ncpux = false\ncpu = 'no'\n");
    let (code, _, stderr) = directory.end_of(&["run", "config.toml"], &[]);
    assert_eq!(code, 2);
    assert_eq!(
        stderr,
        "error: config.toml:2: unknown key `cpux`; did you mean `cpu`?\n\
         error: config.toml:3: host.cpu: wrong type: expected a boolean, found a string\n"
    );
}

#[test]
fn every_mistake_is_told_at_once_with_its_line_and_key() {
    let toml = "\
prot = 1
cache_life = 'x'
[labels]
'ze-ro' = 'a'
quantile = 'b'
[metrics.'1a']
[metrics.a]
tpye = 'gauge'
type = 'histogram'
value = 'x'
[metrics.neg]
type = 'counter'
value = -1
[json.nothing]
[json.bad]
endpoint = 'ftp://example.com'
timeout = -1
cachelife = 1
bearer_token = 'a'
bearer_token_file = 'none'
ca_file = 'none.pem'
headers = { 'a b' = 'x' }
labels = { endpoint = 'x' }
json_labels = { user = 'a..b' }
[json.bad.metrics.m]
path = '$.['
helpp = 'x'
[json.bad.metrics.n]
type = 1
[json.ok]
endpoint = 'http://user:s3cret@localhost/'
[json.ok.metrics.a]
path = 'a'
[json.ok.metrics.narthex_scrapes_total]
path = '${NONE}'
";
    let directory = Directory::new().write("config.toml", toml);
    let (code, stdout, stderr) =
        directory.end_of(&["run", "config.toml", "--config.check"], &[("NARTHEX_PORT", "x")]);
    assert_eq!((code, &*stdout), (2, ""));
    for expected in [
        "environment variable NARTHEX_PORT: invalid value 'x': invalid digit found in string",
        "config.toml:1: unknown key `prot`; did you mean `port`?",
        "config.toml:2: cache_life: invalid value 'x'",
        "config.toml:4: labels.ze-ro: `ze-ro` is not a valid label name",
        "config.toml:5: labels.quantile: `quantile` is the label of histograms or summaries alone",
        "config.toml:6: metrics.1a: `1a` is not a valid metric name",
        "config.toml:8: unknown key `tpye`; did you mean `type`?",
        "config.toml:9: metrics.a.type: `histogram` is none of `counter`, `gauge` and `untyped`",
        "config.toml:10: metrics.a.value: wrong type: expected a number, found string",
        "config.toml:11: metrics.neg: `value` of a counter must be zero or more",
        "config.toml:14: json.nothing: `endpoint` is missing",
        "config.toml:14: json.nothing: an endpoint needs `metrics`",
        "config.toml:16: json.bad.endpoint: it is not a URL that begins with `http://` or `https://`",
        "config.toml:17: json.bad.timeout: expected a number of seconds, zero or more",
        "config.toml:18: unknown key `cachelife`; did you mean `cache_life`?",
        "config.toml:20: json.bad.bearer_token_file: `bearer_token` sets the same",
        "config.toml:21: json.bad.ca_file: `none.pem` cannot be read: No such file or directory",
        "config.toml:22: json.bad.headers.a b: `a b` is not a valid header name",
        "config.toml:23: json.bad.labels.endpoint: `endpoint` is the label that says which",
        "config.toml:24: json.bad.json_labels.user: `a..b` is not a valid path: a key is empty",
        "config.toml:26: json.bad.metrics.m.path: `$.[` is not a valid JSONPath",
        "config.toml:27: unknown key `helpp`; did you mean `help`?",
        "config.toml:28: json.bad.metrics.n: `path` is missing",
        "config.toml:29: json.bad.metrics.n.type: invalid type: integer `1`, expected a string",
        "config.toml:31: json.ok.endpoint: a URL must not hold a password; `basic_auth` may",
        "config.toml:35: json.ok.metrics.narthex_scrapes_total.path: environment variable NONE is \
         not set",
    ] {
        let found = stderr.lines().any(|line| line.starts_with(&format!("error: {expected}")));
        assert!(found, "`{expected}` is not in {stderr}");
    }
    assert!(!stderr.contains("s3cret"), "{stderr}");
    assert!(stderr.lines().all(|line| line.starts_with("error: ")), "{stderr}");
    assert_eq!(stderr.lines().count(), 26, "{stderr}");
    // The start tells the same.
    let (code, _, at_start) = directory.end_of(&["run", "config.toml"], &[("NARTHEX_PORT", "x")]);
    assert_eq!((code, at_start), (2, stderr));
}

#[test]
fn clashes_in_a_file_are_refused() {
    let json = |metric: &str| {
        format!("[json.e]\nendpoint = 'http://localhost/'\n[json.e.metrics.{metric}]\npath = 'a'\n")
    };
    for (toml, expected) in [
        (
            format!("[metrics.a]\ntype = 'gauge'\n{}", json("a")),
            "5: json.e.metrics.a: the file has a metric of this name with another type",
        ),
        (
            format!("[metrics.a]\nhelp = 'x'\n{}", json("a")),
            "5: json.e.metrics.a: the file has a metric of this name with another help text",
        ),
        (
            json("narthex_x"),
            "3: json.e.metrics.narthex_x: names that begin with `narthex_` are reserved",
        ),
        (
            json("json_request_time"),
            "3: json.e.metrics.json_request_time: every endpoint has a metric of this name",
        ),
        (
            "[metrics.'a b']\n[metrics.a_b]\n".to_owned(),
            "2: metrics.a_b: there are two metrics called `a_b`",
        ),
        ("[metrics.a]\n[metrics.a]\n".to_owned(), "2: duplicate key"),
        (
            "[host]\n[metrics.node_load1]\n".to_owned(),
            "2: metrics.node_load1: the program exports a metric of this name with another type",
        ),
        (
            "[host]\n[metrics.node_load1]\ntype = 'gauge'\nhelp = 'Load.'\n".to_owned(),
            "2: metrics.node_load1: the program exports a metric of this name with another help \
             text",
        ),
        (
            "[host]\n[metrics.node_load1]\ntype = 'gauge'\nhelp = '1m load average.'\n".to_owned(),
            "2: metrics.node_load1: the program exports the same series",
        ),
        (
            format!("host = {{}}\n{}", json("node_load1")),
            "4: json.e.metrics.node_load1: the program exports a metric of this name with another \
             type",
        ),
        (
            "[metrics.process_start_time_seconds]\n".to_owned(),
            "1: metrics.process_start_time_seconds: the program exports a metric of this name \
             with another type",
        ),
    ] {
        let directory = Directory::new().write("config.toml", &toml);
        for arguments in [&["run", "config.toml"][..], &["run", "config.toml", "--config.check"]] {
            let (code, _, stderr) = directory.end_of(arguments, &[]);
            assert_eq!((code, stderr), (2, format!("error: config.toml:{expected}\n")));
        }
    }
}

#[test]
fn a_name_is_free_where_nothing_else_of_it_is_exported() {
    let toml = "process_stats = false\n[metrics.process_start_time_seconds]\nvalue = 3\n\
                [metrics.node_load1]\nvalue = 2\n";
    let page = Directory::new().write("config.toml", toml).run(&["config.toml"]).page();
    assert_eq!(page.value("node_load1", &[]), Some(2.0), "{}", page.text);
    assert_eq!(page.value("process_start_time_seconds", &[]), Some(3.0), "{}", page.text);

    // Other series of a family of the machine join it.
    let toml = "[host]\n[metrics.node_load1]\ntype = 'gauge'\nhelp = '1m load average.'\n\
                labels = { of = 'other' }\nvalue = 2\n";
    let page = Directory::new().write("config.toml", toml).run(&["config.toml"]).page();
    assert_eq!(page.value("node_load1", &[("of", "other")]), Some(2.0), "{}", page.text);
    assert!(page.value("node_load1", &[]).is_some(), "{}", page.text);
}

#[test]
fn config_print_shows_what_counts_and_where_it_comes_from() {
    let toml = "listen_ip = '127.0.0.1'\nport = '${PORT}'\nmetrics_path_file = 'path'\n\
                [json.e]\nendpoint = 'http://localhost/x?key=s3cret'\nbearer_token = 's3cret'\n\
                params.appid = 's3cret'\nheaders.auth = '${TOKEN}'\n[json.e.metrics.m]\npath = 'a'\n";
    let directory = Directory::new()
        .write("config.toml", toml)
        .write("path", "/s3cret\n")
        .write(".env", "NARTHEX_LOG_FORMAT=json\n");
    let environment =
        [("PORT", "1234"), ("TOKEN", "s3cret"), ("NARTHEX_WEB_SHUTDOWN_TIMEOUT", "2")];
    let arguments = ["run", "config.toml", "--config.print", "-L", "debug"];
    let (code, stdout, stderr) = directory.end_of(&arguments, &environment);
    assert_eq!((code, &*stderr), (0, ""), "{stdout}");
    for expected in [
        "host = [\"127.0.0.1\"]  # config.toml:1: listen_ip\n",
        "port = 1234  # config.toml:2: port\n",
        "metrics_path = \"<hidden>\"  # config.toml:3: metrics_path_file\n",
        "log_format = \"json\"  # .env:1: NARTHEX_LOG_FORMAT\n",
        "log_level = \"debug\"  # command line\n",
        "web_shutdown_timeout = 2  # environment variable NARTHEX_WEB_SHUTDOWN_TIMEOUT\n",
        "cache_life = 60  # default\n",
        "\n[json.e]  # config.toml:4\nendpoint = \"http://localhost/x?<hidden>\"\n\
         bearer_token = \"<hidden>\"\n",
        "appid = \"<hidden>\"\n",
        "auth = \"${TOKEN}\"\n",
    ] {
        assert!(stdout.contains(expected), "`{expected}` is not in {stdout}");
    }
    assert!(!stdout.contains("s3cret"), "{stdout}");
    // What it prints is TOML.
    toml::from_str::<toml::Table>(&stdout).unwrap();
}

#[test]
fn d10_one_endpoint_and_all_have_their_own_standing() {
    let endpoint = Endpoint::json(r#"{"a": 1}"#).unwrap();
    let toml = format!(
        "[json.up]\nendpoint = '{}'\nmetrics.m.path = 'a'\n\
         [json.down]\nendpoint = 'http://127.0.0.1:1/'\nmetrics.m.path = 'a'\n",
        endpoint.url("/")
    );
    let narthex = Directory::new().write("config.toml", &toml).run(&["config.toml"]);
    let answer = get(&narthex.url, &[]).unwrap();
    let page = Page::parse(answer.text());
    assert_eq!(page.values_of("m", "endpoint"), ["up"]);
    let success = |source| page.value("narthex_source_success", &[("source", source)]);
    assert_eq!((success("json.up"), success("json.down")), (Some(1.0), Some(0.0)));
}
