//! The server that stands alone: an address, a token, a thread.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, rt};
use futures::executor::block_on;

use super::access::Role;
use super::connection;
use super::page::Page;
use super::runs::Runs;
use super::scope::scope;
use super::settings::{Access, PageSettings};
use super::token_file::TokenFile;
use crate::edge::host;

/// Threads that answer. What takes longer is done beside them.
const THREADS: usize = 2;

/// How a server that stands alone is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerSettings {
    /// Where it listens.
    pub bind: SocketAddr,
    /// The file that keeps the token. It is made if it isn't there; without one there is a new token each time.
    pub token_file: Option<PathBuf>,
    /// Where the token lies if the user has no runtime directory.
    pub beside: PathBuf,
    /// The certificates and the key for TLS, as PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether an address that other machines reach may be served without TLS.
    pub insecure: bool,
    /// What is said of the page.
    pub page: PageSettings,
}

impl ServerSettings {
    /// On this address, with a new token.
    pub fn new(bind: SocketAddr) -> Self {
        let (token_file, tls, page) = (None, None, PageSettings::default());
        Self { bind, token_file, beside: PathBuf::from("."), tls, insecure: false, page }
    }
}

/// Why a server doesn't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Others could read the token and all that is sent.
    #[error(
        "{0} can be reached from other machines: `tryout serve` takes it with `--tls-cert` and `--tls-key`, or with `--insecure`"
    )]
    Insecure(SocketAddr),
    /// This build has no TLS.
    #[error("this build of tryout has no TLS: build it with the feature `tls`")]
    NoTls,
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The token can't be kept.
    #[error("the token: {0}")]
    Token(io::Error),
    /// The certificates or the key can't be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// Something else of the system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A server that goes on. Dropping it ends it in order.
#[derive(Debug)]
pub struct Serving {
    links: Links,
    token: TokenFile,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Serves the page of these runs.
    ///
    /// # Errors
    /// If that would be insecure, or the system doesn't let it.
    pub fn start(runs: Runs, settings: ServerSettings) -> Result<Self, ServeError> {
        let ServerSettings { bind, token_file, beside, tls, insecure, mut page } = settings;
        if !bind.ip().is_loopback() && tls.is_none() && !insecure {
            return Err(ServeError::Insecure(bind));
        }
        let tls = tls.map(|(cert, key)| secrecy(&cert, &key)).transpose()?;
        let listener = TcpListener::bind(bind).map_err(|source| ServeError::Bind { address: bind, source })?;
        let address = listener.local_addr()?;
        match address.ip() {
            ip if ip.is_unspecified() => {
                page.any_address = true;
                page.hosts.extend(host::name().map(|name| name.to_string()));
            }
            ip => page.hosts.push(SocketAddr::new(ip, address.port()).to_string()),
        }
        let token = match token_file {
            Some(path) => TokenFile::kept(&path),
            None => TokenFile::fresh(&beside, address.port()),
        };
        let token = token.map_err(ServeError::Token)?;
        let (most, secure) = (page.most, tls.is_some());
        let page = Page::new(runs, Access::token(token.token.text()), page)?;
        let (handle, thread) = spawn(page.clone(), listener, tls)?;
        let links = Links { page, address, secure, most };
        Ok(Self { links, token, handle, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.links.address
    }

    /// What makes links that let browsers in.
    pub fn links(&self) -> Links {
        self.links.clone()
    }

    /// The file with the token for programs.
    pub fn token_file(&self) -> &std::path::Path {
        &self.token.path
    }
}

/// Makes links to a server's page.
#[derive(Clone, Debug)]
pub struct Links {
    page: Page,
    address: SocketAddr,
    secure: bool,
    most: Role,
}

impl Links {
    /// A link that lets one browser in within 60 s.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn another(&self) -> io::Result<String> {
        let code = self.page.code(self.most)?;
        let mut shown = self.address;
        if shown.ip().is_unspecified() {
            // A browser on this machine; others put the machine's name there.
            shown.set_ip(if shown.is_ipv6() {
                std::net::Ipv6Addr::LOCALHOST.into()
            } else {
                std::net::Ipv4Addr::LOCALHOST.into()
            });
        }
        let scheme = if self.secure { "https" } else { "http" };
        Ok(format!("{scheme}://{shown}/#code={code}"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Streams never end by themselves, so nothing is waited for.
        block_on(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(feature = "tls")]
type Secrecy = rustls::ServerConfig;
#[cfg(not(feature = "tls"))]
type Secrecy = std::convert::Infallible;

/// Reads certificates and a key.
#[cfg(feature = "tls")]
fn secrecy(cert: &std::path::Path, key: &std::path::Path) -> Result<Secrecy, ServeError> {
    use std::sync::Arc;

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let named =
        |path: &std::path::Path, why: &dyn std::fmt::Display| ServeError::Tls(format!("`{}`: {why}", path.display()));
    let certs = CertificateDer::pem_file_iter(cert).map_err(|error| named(cert, &error))?;
    let certs: Vec<_> = certs.collect::<Result<_, _>>().map_err(|error| named(cert, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| named(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| ServeError::Tls(error.to_string()))?.with_no_client_auth();
    config.with_single_cert(certs, secret).map_err(|error| named(cert, &error))
}

#[cfg(not(feature = "tls"))]
fn secrecy(_: &std::path::Path, _: &std::path::Path) -> Result<Secrecy, ServeError> {
    Err(ServeError::NoTls)
}

/// The server on a thread of its own.
fn spawn(page: Page, listener: TcpListener, tls: Option<Secrecy>) -> io::Result<(ServerHandle, JoinHandle<()>)> {
    let (tell, told) = mpsc::channel();
    let work = move || {
        let system = rt::System::new();
        let ended = system.block_on(async move {
            let server = server(page, listener, tls)?;
            // Whoever starts it waits for this.
            let _ = tell.send(server.handle());
            server.await
        });
        if let Err(error) = ended {
            log::error!("the page's server has ended: {error}");
        }
    };
    let thread = std::thread::Builder::new().name("tryout-web".to_owned()).spawn(work)?;
    match told.recv() {
        Ok(handle) => Ok((handle, thread)),
        Err(_) => Err(io::Error::other("the page's server ended at once")),
    }
}

fn server(page: Page, listener: TcpListener, tls: Option<Secrecy>) -> io::Result<Server> {
    let limits = page.settings().limits.clone();
    let server = HttpServer::new(move || App::new().service(scope("", &page)))
        .workers(THREADS)
        .max_connections(limits.connections.div_ceil(THREADS))
        .client_request_timeout(limits.head_time)
        .client_disconnect_timeout(Duration::from_secs(2))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(0)
        .on_connect(connection::note)
        .disable_signals();
    let server = match tls {
        #[cfg(feature = "tls")]
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        #[cfg(not(feature = "tls"))]
        Some(never) => match never {},
        None => server.listen(listener)?,
    };
    Ok(server.run())
}
