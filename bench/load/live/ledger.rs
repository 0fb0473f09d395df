//! What the server has acknowledged, beside what clients have heard: whether anything was lost, repeated or
//! out of order, and how long everything took.

use std::{collections::HashMap, time::Instant};

use crate::crowd::{Change, Desk, Said};

/// A change that the server has acknowledged.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub order: String,
    pub version: i64,
    /// Just before the request was sent.
    pub sent: Instant,
    pub answered: Instant,
}

/// What a delay is counted from.
#[derive(Clone, Copy, Debug)]
pub enum Since {
    Sent,
    Answered,
}

/// All that was acknowledged, in the order of the answers or of the feed.
#[derive(Debug, Default)]
pub struct Ledger {
    pub entries: Vec<Acknowledged>,
}

/// What went wrong.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// That had to come and came, the first time.
    pub delivered: usize,
    /// That had to come and did not, though something later did or the socket was still open.
    pub lost: usize,
    /// That had not come yet when the server ended the socket. The client's cursor brings them.
    pub cut_off: usize,
    /// That came once more.
    pub repeated: usize,
    /// That came after a later one of the same order.
    pub disordered: usize,
    /// That was nobody's to hear, or that nobody had acknowledged.
    pub unasked: usize,
    /// Sockets that the server ended, and how the first of them was.
    pub ended: usize,
    pub why: String,
}

/// A message as the ledger sees it.
struct Heard<'a> {
    /// Whoever listens: a client, or one of the subscriptions of a client that has several.
    listener: usize,
    /// The entry that it tells of, by number.
    entry: Option<usize>,
    change: &'a Change,
    at: Instant,
}

impl Ledger {
    /// Puts the entries into the order of the feed: every stream has that order, so it is the one in which
    /// anybody heard of them first.
    pub fn sort(&mut self, desk: &Desk) {
        let mut first = vec![usize::MAX; self.entries.len()];
        for (place, heard) in self.heard(desk).enumerate() {
            if let Some(entry) = heard.entry {
                first[entry] = first[entry].min(place);
            }
        }
        let mut placed: Vec<_> = first.into_iter().zip(self.entries.drain(..)).collect();
        placed.sort_by_key(|(place, _)| *place);
        self.entries.extend(placed.into_iter().map(|(_, entry)| entry));
    }

    /// Compares what was heard with what had to be: `expects` is asked for a listener, which is one of all
    /// subscriptions, and the number of an entry. If a socket was ended, the entries must be in the order of
    /// the feed.
    pub fn check(&self, desk: &Desk, expects: impl Fn(usize, usize) -> bool) -> Tally {
        let why = desk.ended.first().map_or_else(String::new, |(_, why)| why.clone());
        let mut tally = Tally { ended: desk.ended.len(), why, ..Tally::default() };
        let mut seen = vec![false; desk.listeners() * self.entries.len()];
        let mut latest: HashMap<(usize, &str), i64> = HashMap::new();
        for Heard { listener, entry, change, .. } in self.heard(desk) {
            let Some(entry) = entry.filter(|entry| expects(listener, *entry)) else {
                tally.unasked += 1;
                continue;
            };
            let place = &mut seen[listener * self.entries.len() + entry];
            if std::mem::replace(place, true) {
                tally.repeated += 1;
                continue;
            }
            tally.delivered += 1;
            let latest = latest.entry((listener, &change.order)).or_insert(change.version);
            tally.disordered += usize::from(change.version < *latest);
            *latest = change.version.max(*latest);
        }
        self.missing(desk, &seen, expects, &mut tally);
        tally
    }

    /// Counts what has not been seen: holes, and what was still to come when a socket was ended.
    fn missing(&self, desk: &Desk, seen: &[bool], expects: impl Fn(usize, usize) -> bool, tally: &mut Tally) {
        let mut ended = vec![false; desk.listeners()];
        for (client, _) in &desk.ended {
            ended[desk.listener(*client, 0)..desk.listener(client + 1, 0)].fill(true);
        }
        for (listener, farthest) in self.farthest(desk).into_iter().enumerate() {
            let seen = &seen[listener * self.entries.len()..][..self.entries.len()];
            let missing = (0..seen.len()).filter(|entry| !seen[*entry] && expects(listener, *entry));
            let (to_come, holes): (Vec<_>, Vec<_>) = missing.partition(|entry| Some(*entry) > farthest);
            tally.lost += holes.len();
            *if ended[listener] { &mut tally.cut_off } else { &mut tally.lost } += to_come.len();
        }
    }

    /// Entries a second, from the first request to the last answer.
    pub fn rate(&self) -> f64 {
        let (first, last) = (
            self.entries.iter().map(|entry| entry.sent).min(),
            self.entries.iter().map(|entry| entry.answered).max(),
        );
        let seconds = first.zip(last).map(|(first, last)| (last - first).as_secs_f64());
        self.entries.len() as f64 / seconds.unwrap_or(f64::NAN)
    }

    /// How long each delivery of an entry from this one on took, in milliseconds, sorted.
    pub fn delays(&self, desk: &Desk, from: usize, since: Since) -> Vec<f64> {
        let delay = |heard: Heard<'_>| {
            let entry = &self.entries[heard.entry.filter(|entry| *entry >= from)?];
            let begun = match since {
                Since::Sent => entry.sent,
                Since::Answered => entry.answered,
            };
            // One of them is zero.
            let (late, early) =
                (heard.at.saturating_duration_since(begun), begun.saturating_duration_since(heard.at));
            Some((late.as_secs_f64() - early.as_secs_f64()) * 1e3)
        };
        let mut delays: Vec<f64> = self.heard(desk).filter_map(delay).collect();
        delays.sort_by(f64::total_cmp);
        delays
    }

    /// The last entry that each listener heard of; none for those who heard nothing.
    fn farthest(&self, desk: &Desk) -> Vec<Option<usize>> {
        let mut farthest = vec![None; desk.listeners()];
        for heard in self.heard(desk) {
            farthest[heard.listener] = farthest[heard.listener].max(heard.entry);
        }
        farthest
    }

    /// What was heard, in the order in which it came.
    fn heard<'a>(&self, desk: &'a Desk) -> impl Iterator<Item = Heard<'a>> {
        let numbered = self.entries.iter().enumerate();
        let numbers: HashMap<(&str, i64), usize> =
            numbered.map(|(n, entry)| ((entry.order.as_str(), entry.version), n)).collect();
        let told = desk.texts.iter().map(|text| match &text.said {
            Said::Changed(change) => Some((change, numbers.get(&(&*change.order, change.version)).copied())),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        desk.receipts.iter().filter_map(move |receipt| {
            let (change, entry) = told[receipt.text as usize]?;
            let listener = desk.listener(receipt.client, change.subscription);
            Some(Heard { listener, entry, change, at: receipt.at })
        })
    }
}

/// The value that this part of all stayed below.
pub fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Versions 1 to `versions` of one order, a millisecond apart, each answered a millisecond later.
    fn ledger(versions: i64) -> (Ledger, Instant) {
        let begun = Instant::now();
        let at = |n: i64| begun + Duration::from_millis(u64::try_from(n).unwrap());
        let entry = |version| Acknowledged {
            order: "a".to_owned(),
            version,
            sent: at(version),
            answered: at(version + 1),
        };
        (Ledger { entries: (1..=versions).map(entry).collect() }, begun)
    }

    /// One client hears these versions, all at once.
    fn heard(versions: &[i64], at: Instant) -> Desk {
        let (mut desk, mut last) = (Desk::new(1, 1), u32::MAX);
        for version in versions {
            let text = format!(
                r#"{{"id":"1","type":"next","payload":{{"data":{{"x":{{"kind":"STATUS_CHANGED",
                "cursor":"c","orderId":"a","event":{{"version":{version}}}}}}}}}}}"#
            );
            desk.note(0, text.as_bytes(), &mut last, at).unwrap();
        }
        desk
    }

    #[test]
    fn every_fault_of_a_delivery_is_counted() {
        let (ledger, at) = ledger(4);
        let faults = |versions: &[i64]| {
            let tally = ledger.check(&heard(versions, at), |_, entry| entry > 0);
            [tally.delivered, tally.lost, tally.repeated, tally.disordered, tally.unasked]
        };
        assert_eq!(faults(&[2, 3, 4]), [3, 0, 0, 0, 0]);
        assert_eq!(faults(&[2, 4]), [2, 1, 0, 0, 0], "lost");
        assert_eq!(faults(&[2, 3, 3, 4]), [3, 0, 1, 0, 0], "repeated");
        assert_eq!(faults(&[2, 4, 3]), [3, 0, 0, 1, 0], "out of order");
        assert_eq!(faults(&[1, 2, 3, 4, 5]), [3, 0, 0, 0, 2], "not its own, and not acknowledged");
        assert_eq!(faults(&[]), [0, 3, 0, 0, 0], "nothing at all");
    }

    #[test]
    fn what_an_ended_socket_has_not_heard_yet_is_cut_off_and_a_hole_before_that_is_lost() {
        let (mut ledger, at) = ledger(4);
        ledger.entries.reverse();
        ledger.sort(&heard(&[1, 2, 3, 4], at));
        let versions: Vec<_> = ledger.entries.iter().map(|entry| entry.version).collect();
        assert_eq!(versions, [1, 2, 3, 4]);
        let mut desk = heard(&[1, 3], at);
        desk.ended.push((0, "1013 too slow".to_owned()));
        let tally = ledger.check(&desk, |_, _| true);
        assert_eq!((tally.delivered, tally.lost, tally.cut_off, tally.ended), (2, 1, 1, 1));
        assert_eq!(tally.why, "1013 too slow");
    }

    #[test]
    fn a_delay_before_the_answer_is_negative() {
        let (ledger, begun) = ledger(3);
        let desk = heard(&[1, 2, 3], begun + Duration::from_millis(3));
        let rounded = |since| {
            let delays = ledger.delays(&desk, 1, since);
            delays.iter().map(|delay| delay.round() as i64).collect::<Vec<_>>()
        };
        assert_eq!(rounded(Since::Sent), [0, 1]);
        assert_eq!(rounded(Since::Answered), [-1, 0]);
    }
}
