//! Who is told when that the server stops. Ten thousand clients that are told at once come back at once, to
//! the instances that are left; so sockets and streams are told in waves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

/// Waves; each takes the next connection in turn.
const WAVES: usize = 60;
/// How long the waves take together at most; the rest of the server's farewell is for clients to hang up.
const SPREAD: Duration = Duration::from_secs(3);
/// How long a wave takes for each connection in it: few connections do not keep the server from ending.
const EACH: Duration = Duration::from_micros(500);

/// The waves. Clones are the same ones.
#[derive(Clone, Debug)]
pub(super) struct Waves(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    waves: Vec<watch::Sender<bool>>,
    joined: AtomicUsize,
}

impl Default for Waves {
    fn default() -> Waves {
        let waves = (0..WAVES).map(|_| watch::Sender::new(false)).collect();
        Waves(Arc::new(Inner { waves, joined: AtomicUsize::new(0) }))
    }
}

impl Waves {
    /// What tells a connection to end: true once it has to.
    pub(super) fn join(&self) -> watch::Receiver<bool> {
        let place = self.0.joined.fetch_add(1, Ordering::Relaxed) % WAVES;
        self.0.waves[place].subscribe()
    }

    /// Tells everybody, wave by wave.
    pub(super) async fn roll(&self) {
        for wave in &self.0.waves {
            let connections = wave.receiver_count();
            wave.send_replace(true);
            if connections > 0 {
                sleep(pause(connections)).await;
            }
        }
    }
}

/// How long the next wave waits after one of so many connections.
fn pause(connections: usize) -> Duration {
    EACH.saturating_mul(u32::try_from(connections).unwrap_or(u32::MAX)).min(SPREAD / WAVES as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_connections_are_told_evenly_over_a_few_seconds_and_few_at_once() {
        let waves = Waves::default();
        let joined: Vec<_> = (0..10_000).map(|_| waves.join()).collect();
        let crowds: Vec<usize> = waves.0.waves.iter().map(watch::Sender::receiver_count).collect();
        assert!(crowds.iter().all(|crowd| (166..=167).contains(crowd)), "{crowds:?}");
        let whole: Duration = crowds.iter().map(|crowd| pause(*crowd)).sum();
        assert_eq!(whole, SPREAD);
        assert!(joined.iter().all(|stopping| !*stopping.borrow()));
        assert!(pause(1) * 20 <= Duration::from_millis(20));
        assert_eq!(pause(usize::MAX) * WAVES as u32, SPREAD);
    }

    #[tokio::test]
    async fn everybody_is_told_and_whoever_joins_late_at_once() {
        let waves = Waves::default();
        let joined: Vec<_> = (0..WAVES + 5).map(|_| waves.join()).collect();
        waves.roll().await;
        assert!(joined.iter().all(|stopping| *stopping.borrow()));
        assert!(*waves.join().borrow());
    }
}
