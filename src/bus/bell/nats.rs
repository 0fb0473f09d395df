//! The bell over NATS: plain messages on a subject of the database's own. Nothing is kept there; what is
//! missed is found by the poll.

use std::{fmt, sync::Arc, time::Duration};

use async_nats::{Client, ConnectOptions, Event, ServerAddr, Subscriber};
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::Ring;
use crate::error::Error;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Rings that wait to be heard. Of what overflows only that it did is known, and counts as news.
const WAITING: usize = 64;
/// What was given up goes on trying to connect until it notices; slowly.
const ABANDONED: Duration = Duration::from_secs(2);

/// Servers of one cluster, and how to log in there; never shown.
#[derive(Clone)]
pub struct Servers {
    /// Without logins: what the client library logs, it logs whole.
    places: Vec<ServerAddr>,
    login: Option<Login>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Login {
    Token(String),
    Password(String, String),
}

const WRONG: &str = "must be an address such as nats://host:4222 or tls://user:password@host:4222, or several with \
    commas between them and one login";

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Servers(..)")
    }
}

impl Servers {
    /// Reads `nats://…` or `tls://…`; several of one cluster with commas between them. The first login that
    /// one of them names is used for all.
    ///
    /// # Errors
    /// A sentence without the address.
    pub fn parse(urls: &str) -> Result<Servers, &'static str> {
        let (mut places, mut login) = (Vec::new(), None);
        for url in urls.split(',') {
            let (scheme, rest) = url.trim().split_once("://").ok_or(WRONG)?;
            let (named, place) = match rest.rsplit_once('@') {
                Some((named, place)) => (Some(Login::read(named)), place),
                None => (None, rest),
            };
            if !["nats", "tls"].contains(&scheme) || place.is_empty() {
                return Err(WRONG);
            }
            places.push(format!("{scheme}://{place}").parse().map_err(|_| WRONG)?);
            login = login.or(named);
        }
        Ok(Servers { places, login })
    }

    fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::new();
        match self.login.clone() {
            Some(Login::Token(token)) => options.token(token),
            Some(Login::Password(user, password)) => options.user_and_password(user, password),
            None => options,
        }
    }
}

impl Login {
    fn read(text: &str) -> Login {
        match text.split_once(':') {
            Some((user, password)) => Login::Password(plain(user), plain(password)),
            None => Login::Token(plain(text)),
        }
    }
}

/// Text of an address without its percent signs.
fn plain(text: &str) -> String {
    let value = format!("={}", text.replace('+', "%2B").replace('&', "%26"));
    form_urlencoded::parse(value.as_bytes()).next().map_or_else(String::new, |(_, text)| text.into_owned())
}

/// A connection to NATS.
pub(super) struct Line {
    client: Client,
    database: Uuid,
    subject: String,
    rings: Subscriber,
    /// Rings were dropped unread.
    overflow: Arc<Notify>,
    /// The connection that the subscription was made on is gone.
    cut: watch::Receiver<bool>,
}

impl Line {
    pub(super) async fn open(servers: &Servers, database: Uuid) -> Result<Line, Error> {
        let (lost, cut) = watch::channel(false);
        let overflow = Arc::new(Notify::new());
        let dropped = Arc::clone(&overflow);
        let options = servers
            .options()
            .name("ordo")
            .connection_timeout(CONNECT)
            .subscription_capacity(WAITING)
            .reconnect_delay_callback(|attempt| if attempt <= 1 { Duration::ZERO } else { ABANDONED })
            .event_callback(move |event| {
                match event {
                    Event::Disconnected | Event::Closed => drop(lost.send_replace(true)),
                    Event::SlowConsumer(_) => dropped.notify_one(),
                    _ => (),
                }
                std::future::ready(())
            });
        let client = options.connect(servers.places.clone()).await.map_err(broken)?;
        let subject = format!("ordo.bell.{database}");
        let rings = client.subscribe(subject.clone()).await.map_err(broken)?;
        Ok(Line { client, database, subject, rings, overflow, cut })
    }

    /// May be dropped while it waits.
    pub(super) async fn hear(&mut self) -> Result<Option<Ring>, Error> {
        tokio::select! {
            heard = self.rings.next() => {
                let heard = heard.ok_or_else(|| Error::internal("the subscription at NATS has ended"))?;
                Ok(Ring::read(&heard.payload))
            }
            () = self.overflow.notified() => Ok(Some(Ring { database: self.database, head: i64::MAX })),
            _ = self.cut.wait_for(|cut| *cut) => Err(Error::internal("NATS is disconnected")),
        }
    }

    pub(super) async fn ring(&self, ring: Ring) -> Result<(), Error> {
        self.client.publish(self.subject.clone(), ring.text().into()).await.map_err(broken)
    }
}

/// The kind of an error is told, its inside may name more than that.
fn broken<K>(error: async_nats::error::Error<K>) -> Error
where
    K: Clone + fmt::Debug + fmt::Display + PartialEq,
{
    Error::internal(format!("NATS: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(urls: &str) -> Option<(Vec<String>, Option<Login>)> {
        let servers = Servers::parse(urls).ok()?;
        assert_eq!(format!("{servers:?}"), "Servers(..)");
        Some((servers.places.iter().map(|place| place.as_url_str().to_owned()).collect(), servers.login))
    }

    #[test]
    fn a_login_is_taken_out_of_the_address() {
        let login = |user: &str, password: &str| Some(Login::Password(user.to_owned(), password.to_owned()));
        for (urls, places, wanted) in [
            ("nats://host:4222", &["nats://host:4222"][..], None),
            ("tls://me:a%2Bb+c%26d@host", &["tls://host"], login("me", "a+b+c&d")),
            ("nats://me:a@b:c@host:1", &["nats://host:1"], login("me", "a@b:c")),
            ("nats://a, nats://t%20o@b", &["nats://a", "nats://b"], Some(Login::Token("t o".to_owned()))),
        ] {
            let (read, login) = read(urls).expect(urls);
            assert_eq!(
                (read.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), login),
                (places, wanted)
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_told() {
        for urls in ["", "host:4222", "http://host", "nats://", "nats://me:hunter2@", "nats://a,hunter2"] {
            let error = Servers::parse(urls).expect_err(urls);
            assert!(!error.contains("hunter2"));
        }
    }
}
