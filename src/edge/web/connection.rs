//! A request's connection, to end it from outside: a client that reads nothing would keep it for ever.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use actix_web::rt::net;

/// Ends a connection, if the server that stands alone has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection(Option<Arc<TcpStream>>);

impl Connection {
    pub(super) fn shut(&self) {
        if let Some(stream) = &self.0 {
            // It may be gone.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// That of a request; of a host's server nothing is known.
pub(super) fn of(request: &HttpRequest) -> Connection {
    request.conn_data::<Connection>().cloned().unwrap_or_default()
}

/// Called for each new connection of the server that stands alone.
pub(super) fn note(stream: &dyn Any, known: &mut Extensions) {
    known.insert(Connection(second(stream).map(Arc::new)));
}

#[cfg(unix)]
fn second(stream: &dyn Any) -> Option<TcpStream> {
    use std::os::fd::AsFd;
    let plain = stream.downcast_ref::<net::TcpStream>();
    #[cfg(feature = "tls")]
    let plain = plain.or_else(|| {
        let secret = stream.downcast_ref::<actix_tls::accept::rustls_0_23::TlsStream<net::TcpStream>>()?;
        Some(secret.get_ref().0)
    });
    plain?.as_fd().try_clone_to_owned().ok().map(TcpStream::from)
}

#[cfg(not(unix))]
fn second(_: &dyn Any) -> Option<TcpStream> {
    None
}
