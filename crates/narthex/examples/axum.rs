//! An axum service that measures its requests and serves `/metrics` beside its own routes.
//!
//! ```sh
//! cargo run --example axum --features axum
//! curl localhost:8000/hello/world
//! curl localhost:8000/metrics
//! ```

#![expect(clippy::print_stdout, reason = "says where it listens")]

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use narthex::{Family, Histogram, LabelValue, Labels, MetricsLayer, MetricsService, Registry};

#[derive(LabelValue)]
enum Language {
    English,
    Latin,
}

#[derive(Labels)]
struct Greeting {
    language: Language,
}

#[derive(Clone)]
struct App {
    greeting_seconds: Family<Histogram, Greeting>,
}

async fn hello(State(app): State<App>, Path(name): Path<String>) -> String {
    let (language, greeting) = match name.ends_with("us") {
        true => (Language::Latin, format!("Salve, {name}!\n")),
        false => (Language::English, format!("Hello, {name}!\n")),
    };
    let start = std::time::Instant::now();
    app.greeting_seconds.with(&Greeting { language }).observe_duration(start.elapsed());
    greeting
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let greeting_seconds =
        Family::builder("greeting_seconds", "Time to greet.").register(&registry)?;

    let app = Router::new()
        .route("/hello/{name}", get(hello))
        .with_state(App { greeting_seconds })
        // Every route above, by its template: requests, in flight, durations, sizes.
        .layer(MetricsLayer::register(&registry)?)
        .route_service("/metrics", MetricsService::new(registry));

    let address = std::env::args().nth(1).unwrap_or_else(|| "localhost:8000".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}/metrics", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
