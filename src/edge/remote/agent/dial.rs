//! Dialling in: the join file is read anew each time, since the engine may have moved.

use std::path::Path;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::connection::websocket;
use super::super::frame::{Answer, Hello, Refusal, Welcome};
use super::super::join_file::{JoinFile, JoinFileError};
use super::super::tls::connector;

/// How long one address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Why nobody was reached.
#[derive(Debug)]
pub(super) enum DialError {
    JoinFile(JoinFileError),
    Refused(Refusal),
    Unreachable(String),
}

/// Tries one address after the other.
pub(super) async fn dial(join: &Path, hello: &Hello) -> Result<(Socket, Welcome), DialError> {
    let file = JoinFile::read(join).map_err(DialError::JoinFile)?;
    let mut why = "the join file names no address".to_owned();
    for address in &file.addresses {
        match timeout(PATIENCE, reach(address, &file, hello)).await {
            Ok(Ok((socket, Answer::Welcome(welcome)))) => return Ok((socket, *welcome)),
            Ok(Ok((_, Answer::Refused(refusal)))) => return Err(DialError::Refused(refusal)),
            Ok(Err(error)) => why = format!("{address}: {error}"),
            Err(_) => why = format!("{address}: no answer within {} s", PATIENCE.as_secs()),
        }
    }
    Err(DialError::Unreachable(why))
}

async fn reach(address: &str, file: &JoinFile, hello: &Hello) -> Result<(Socket, Answer), String> {
    let words = |error: std::io::Error| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(words)?;
    stream.set_nodelay(true).map_err(words)?;
    let name = ServerName::try_from("tryout").map_err(|error| error.to_string())?;
    let tls = connector(&file.fingerprint).map_err(words)?.connect(name, stream).await;
    let stream = tls.map_err(|error| format!("TLS: {error}"))?;
    let mut request = "ws://tryout/join".into_client_request().map_err(|error| error.to_string())?;
    let token = HeaderValue::from_str(&format!("Bearer {}", file.token)).map_err(|error| error.to_string())?;
    request.headers_mut().insert("authorization", token);
    let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(websocket())).await;
    let (mut socket, _) = opened.map_err(|error| match error {
        Error::Http(response) if response.status() == 401 => "the token of the join file is wrong".to_owned(),
        error => error.to_string(),
    })?;
    let text = serde_json::to_string(hello).map_err(|error| error.to_string())?;
    socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
    match socket.next().await {
        Some(Ok(Message::Text(text))) => {
            let answer = serde_json::from_str(text.as_str());
            Ok((socket, answer.map_err(|error| format!("its answer isn't understood: {error}"))?))
        }
        Some(Ok(_)) => Err("its answer isn't a text".to_owned()),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("it closed the connection".to_owned()),
    }
}
