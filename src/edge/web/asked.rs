//! A request as the routes see it: who asks, for what, with which body.

use std::time::Duration;

use actix_web::web::{Bytes, BytesMut, Payload, Query};
use actix_web::{HttpRequest, rt};
use futures::StreamExt;
use serde::de::DeserializeOwned;

use super::access::Caller;
use super::error::{Answered, Code, WebError};
use super::page::Page;

/// What a route is asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) page: Page,
    /// None for what everybody may see.
    pub(super) caller: Option<Caller>,
    pub(super) request: HttpRequest,
    pub(super) body: Bytes,
}

impl Asked {
    /// A part of the path.
    pub(super) fn part(&self, name: &str) -> Answered<String> {
        let part = self.request.match_info().get(name).ok_or_else(|| WebError::not_found("part of the path", name))?;
        decoded(part).ok_or_else(|| WebError::malformed("the path isn't text"))
    }

    /// What stands behind the path's `?`, in its order.
    pub(super) fn pairs(&self) -> Answered<Vec<(String, String)>> {
        let pairs = Query::<Vec<(String, String)>>::from_query(self.request.query_string());
        pairs
            .map(Query::into_inner)
            .map_err(|_| WebError::malformed("what stands behind `?` isn't `name=value`, joined by `&`"))
    }

    /// A value of those.
    pub(super) fn query(&self, name: &str) -> Answered<Option<String>> {
        Ok(self.pairs()?.into_iter().find(|(key, _)| key == name).map(|(_, value)| value))
    }

    /// The same as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Answered<Option<T>> {
        let wrong = |text: &str| WebError::malformed(format!("`{name}` is {text:?}, which is no number that fits"));
        self.query(name)?.map(|text| text.parse().map_err(|_| wrong(&text))).transpose()
    }

    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Answered<T> {
        let unread = |why: String| WebError::malformed(format!("the body can't be read: {why}"));
        let text = std::str::from_utf8(&self.body).map_err(|error| unread(error.to_string()))?;
        serde_json::from_str(text).map_err(|error| unread(error.to_string()))
    }
}

/// What is still encoded of a part of a path: `%2F` and the like, which the router leaves as they are.
fn decoded(part: &str) -> Option<String> {
    let mut pieces = part.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (byte, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(byte, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Reads a body that is no longer, and takes no longer, than it may.
pub(super) async fn body(request: &HttpRequest, payload: Payload, most: usize, time: Duration) -> Answered<Bytes> {
    let too_large = || WebError::new(Code::TooLarge, format!("a body has at most {most} bytes here"));
    let said = request.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let read = async {
        let (mut payload, mut body) = (payload, BytesMut::new());
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| WebError::malformed(format!("the body broke off: {error}")))?;
            if body.len() + chunk.len() > most {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let late = |_| WebError::malformed("the body took too long to come");
    rt::time::timeout(time, read).await.map_err(late)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_path_is_decoded_once() {
        for (part, text) in [
            ("a b", Some("a b")),
            ("%2Fetc%2f..", Some("/etc/..")),
            ("%252F", Some("%2F")),
            ("%2", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decoded(part).as_deref(), text, "{part}");
        }
    }
}
