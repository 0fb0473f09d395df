//! The server's certificate and key.

use std::{fmt, io, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// TLS 1.2 and 1.3, with HTTP/2 where the client knows it.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// Reads a certificate with its chain, and the private key to it, both PEM.
    ///
    /// # Errors
    /// A sentence about what is wrong with which of the two. The key is never in it.
    pub fn load(certificate: &[u8], key: &[u8]) -> Result<Tls, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|error| format!("the certificate is no proper PEM: {error}"))?;
        if chain.is_empty() {
            return Err(
                "there is no certificate in the file; PEM with `BEGIN CERTIFICATE` is wanted".to_owned()
            );
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                "there is no private key in the file; PEM of PKCS #8, PKCS #1 or SEC 1 is wanted".to_owned()
            }
            _ => "the private key is no proper PEM".to_owned(),
        })?;
        // Named, so that nothing hangs on which provider the process has installed.
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?;
        let config = config.with_no_client_auth().with_single_cert(chain, key);
        let mut config =
            config.map_err(|error| format!("the certificate and the key cannot be used: {error}"))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.0.accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
