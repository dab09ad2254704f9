//! A service that answers from a live table: clicks come in over HTTP, and counts per page go out, as of the newest epoch.
//!
//! ```sh
//! cargo run --release --example service
//! curl -d '[{"page": "docs", "user": 1}]' -H 'content-type: application/json' localhost:8080/clicks
//! curl localhost:8080/pages            # all of them
//! curl localhost:8080/pages/after/0    # once there is a newer epoch than 0
//! curl localhost:8080/page/docs        # one of them
//! ```
//!
//! The query has threads of its own. What it is waited for here is awaited, so the service's few threads are never held up.

use std::error::Error;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use watershed::core::epoch::Epoch;
use watershed::core::row::{Row, batch_of};
use watershed::sinks::{MemorySnapshot, MemoryTable};
use watershed::sources::MemoryFeed;
use watershed::{Query, Runtime};

const GRAPH: &str = r#"Graph(
    name: "clicks-per-page",
    sources: { "clicks": Memory(schema: "page STRING NOT NULL, user BIGINT NOT NULL", capacity: 100000) },
    operators: {
        "counts": Aggregate(keys: ["page"], aggregates: ["count(*) AS clicks"], output_mode: Update),
    },
    sinks: { "table": Memory() },
    flow: ["clicks -> counts -> table"],
)"#;

#[derive(Row, Deserialize)]
struct Click {
    page: String,
    user: i64,
}

#[derive(Row)]
struct ByPage<'a> {
    page: &'a str,
}

#[derive(Row, Serialize)]
struct Visits<'a> {
    page: &'a str,
    clicks: i64,
}

/// What every request is answered from.
struct Service {
    query: Query,
    feed: Arc<MemoryFeed>,
    table: Arc<MemoryTable>,
}

type Answer = Result<Json<Value>, (StatusCode, String)>;

/// The query is of no use to whoever asks.
fn unavailable(error: &dyn Error) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

/// Waits for room, and so makes clients wait that send more than the graph can take.
async fn take_clicks(State(service): State<Arc<Service>>, Json(clicks): Json<Vec<Click>>) -> Answer {
    let count = clicks.len();
    service.feed.push_async(&batch_of::<Click>(clicks)).await.map_err(|error| unavailable(&error))?;
    Ok(Json(json!({ "taken": count })))
}

async fn all_pages(State(service): State<Arc<Service>>) -> Answer {
    as_json(&service.table.snapshot().map_err(|error| unavailable(&error))?)
}

async fn pages_after(State(service): State<Arc<Service>>, Path(epoch): Path<u64>) -> Answer {
    as_json(&service.table.wait_for_async(Epoch(epoch).next()).await.map_err(|error| unavailable(&error))?)
}

async fn one_page(State(service): State<Arc<Service>>, Path(page): Path<String>) -> Answer {
    let snapshot = service.table.get::<ByPage>(ByPage { page: &page }).map_err(|error| unavailable(&error))?;
    if snapshot.row_count() > 0 {
        as_json(&snapshot)
    } else {
        Err((StatusCode::NOT_FOUND, format!("nobody saw {page}")))
    }
}

fn as_json(snapshot: &MemorySnapshot) -> Answer {
    let pages = snapshot.rows::<Visits>().map_err(|error| unavailable(&error))?;
    Ok(Json(json!({ "epoch": snapshot.epoch, "pages": pages })))
}

async fn status(State(service): State<Arc<Service>>) -> Answer {
    let progress = service.query.last_progress();
    Ok(Json(json!({ "status": service.query.status().message, "progress": progress.as_deref() })))
}

/// Starts the query, and the routes that answer from it.
fn service() -> Result<Router, Box<dyn Error>> {
    let query = Runtime::new()?.query_text(GRAPH).start()?;
    let (feed, table) = (query.feed("clicks")?, query.table("table")?);
    let routes = Router::new()
        .route("/clicks", post(take_clicks))
        .route("/pages", get(all_pages))
        .route("/pages/after/{epoch}", get(pages_after))
        .route("/page/{page}", get(one_page))
        .route("/status", get(status));
    Ok(routes.with_state(Arc::new(Service { query, feed, table })))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("localhost:8080").await?;
    println!("listening on {}", listener.local_addr()?);
    Ok(axum::serve(listener, service()?).await?)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// The status and the body of the answer to a request.
    async fn ask(address: SocketAddr, request: &str, body: &str) -> Result<(u16, String), Box<dyn Error>> {
        let mut stream = TcpStream::connect(address).await?;
        let length = body.len();
        let head = "host: test\r\nconnection: close\r\ncontent-type: application/json";
        let text = format!("{request} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("an answer has a head")?;
        let status = head.split(' ').nth(1).ok_or("an answer has a status")?;
        Ok((status.parse()?, body.to_owned()))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_posted_is_counted() -> Result<(), Box<dyn Error>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, service().expect("it starts")).await });

        assert_eq!(ask(address, "GET /pages", "").await?, (200, r#"{"epoch":null,"pages":[]}"#.to_owned()));
        let clicks = r#"[{"page": "home", "user": 1}, {"page": "docs", "user": 1}, {"page": "home", "user": 2}]"#;
        assert_eq!(ask(address, "POST /clicks", clicks).await?, (200, r#"{"taken":3}"#.to_owned()));
        let second =
            tokio::spawn(
                async move { ask(address, "GET /pages/after/0", "").await.map_err(|error| error.to_string()) },
            );
        let mut page = ask(address, "GET /page/home", "").await?;
        while page.0 == 404 {
            page = ask(address, "GET /page/home", "").await?;
        }
        assert_eq!(page, (200, r#"{"epoch":0,"pages":[{"clicks":2,"page":"home"}]}"#.to_owned()));
        ask(address, "POST /clicks", r#"[{"page": "docs", "user": 3}]"#).await?;
        let pages = r#"{"epoch":1,"pages":[{"clicks":2,"page":"home"},{"clicks":2,"page":"docs"}]}"#;
        assert_eq!(second.await??, (200, pages.to_owned()));
        assert_eq!(ask(address, "GET /page/none", "").await?, (404, "nobody saw none".to_owned()));
        let (_, status) = ask(address, "GET /status", "").await?;
        assert!(status.contains(r#""graph":"clicks-per-page""#), "{status}");
        Ok(())
    }
}
