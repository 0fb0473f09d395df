//! The check: what was acknowledged, what the log holds and what each reader was told must be one story.
//! Pure: it gets three lists and counts what does not fit.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use domain::{
    event::{Audience, Facet},
    id::{EventId, OrderId},
};

/// A write that was answered without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub order: OrderId,
    pub event: EventId,
    /// The order's version since then.
    pub version: i64,
}

/// A row of the log.
#[derive(Clone, Debug)]
pub struct Row {
    pub seq: i64,
    /// Its position, as clients are told it.
    pub cursor: String,
    pub event: EventId,
    pub order: OrderId,
    pub version: i64,
    pub audience: Audience,
    pub before: Option<Facet>,
    pub after: Option<Facet>,
}

/// A message that a reader got. Of an order that is out of its reach it is told the id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub cursor: String,
    pub order: OrderId,
    pub event: Option<(EventId, i64)>,
}

/// What a row of the log means to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is told of the event.
    Event,
    /// It is told that something happened; what, only if the order is in its reach by the time of delivery.
    Word,
    /// It is told that the order has left its reach, and no more.
    Left,
    /// Its rights were just changing: it may be told of the event.
    Maybe,
    /// It must not hear of it.
    Nothing,
}

impl Due {
    /// Whether this receipt says of this row what it should.
    fn allows(self, receipt: &Receipt, row: &Row) -> bool {
        let whole = receipt.event == Some((row.event, row.version));
        receipt.order == row.order
            && match self {
                Due::Event | Due::Maybe => whole,
                Due::Word => whole || receipt.event.is_none(),
                Due::Left => receipt.event.is_none(),
                Due::Nothing => false,
            }
    }
}

/// What one reader was entitled to and what it got.
#[derive(Debug)]
pub struct Testimony {
    pub due: Vec<Due>,
    pub receipts: Vec<Receipt>,
}

/// The sum. All but the first two must be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub acknowledged: usize,
    pub delivered: usize,
    /// Acknowledged and not in the log, or in the log and not told to somebody entitled to it.
    pub lost: usize,
    /// Told twice, or done twice for one request.
    pub repeated: usize,
    /// Told after what came after it.
    pub out_of_order: usize,
    /// Told, and not in the log or not for this reader.
    pub invented: usize,
}

impl Verdict {
    /// Whether the promise was kept.
    pub fn is_good(&self) -> bool {
        self.lost + self.repeated + self.out_of_order + self.invented == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { acknowledged, delivered, lost, repeated, out_of_order, invented } = self;
        write!(
            f,
            "acknowledged {acknowledged}, delivered {delivered}, lost {lost}, repeated {repeated}, \
             out of order {out_of_order}, invented {invented}"
        )
    }
}

/// Joins the three. `log` is in the order of its positions, and each reader's `due` has one entry per row.
pub fn judge(acknowledged: &[Acknowledged], log: &[Row], readers: &[Testimony]) -> Verdict {
    let mut verdict = Verdict { acknowledged: acknowledged.len(), ..Verdict::default() };
    against_the_log(acknowledged, log, &mut verdict);
    for reader in readers {
        hear(log, reader, &mut verdict);
    }
    verdict
}

/// Every acknowledged write stands in the log, nothing else does, and each order's versions grow by one.
fn against_the_log(acknowledged: &[Acknowledged], log: &[Row], verdict: &mut Verdict) {
    let held: HashMap<EventId, (OrderId, i64)> =
        log.iter().map(|row| (row.event, (row.order, row.version))).collect();
    let mut asked = HashSet::new();
    for write in acknowledged {
        if held.get(&write.event) != Some(&(write.order, write.version)) {
            verdict.lost += 1;
        }
        // Two requests that were answered with one event: one of them was not carried out.
        if !asked.insert(write.event) {
            verdict.lost += 1;
        }
    }
    verdict.repeated += log.iter().filter(|row| !asked.contains(&row.event)).count();
    let mut versions: HashMap<OrderId, i64> = HashMap::new();
    for row in log {
        let before = versions.insert(row.order, row.version);
        if before.is_some_and(|before| row.version != before + 1) {
            verdict.out_of_order += 1;
        }
    }
}

/// What was told to one reader is what it was entitled to, once each, in the order of the log.
fn hear(log: &[Row], reader: &Testimony, verdict: &mut Verdict) {
    let dues = || log.iter().zip(&reader.due).enumerate();
    let places: HashMap<&str, usize> = dues().map(|(place, (row, _))| (row.cursor.as_str(), place)).collect();
    let (mut told, mut furthest) = (vec![false; log.len()], 0);
    for receipt in &reader.receipts {
        let place = places.get(receipt.cursor.as_str()).copied();
        let Some(place) = place.filter(|place| reader.due[*place].allows(receipt, &log[*place])) else {
            verdict.invented += 1;
            continue;
        };
        if told[place] {
            verdict.repeated += 1;
            continue;
        }
        told[place] = true;
        verdict.delivered += 1;
        if place < furthest {
            verdict.out_of_order += 1;
        }
        furthest = furthest.max(place);
    }
    let due = |due: &Due| !matches!(due, Due::Maybe | Due::Nothing);
    verdict.lost += dues().filter(|(place, (_, owed))| due(owed) && !told[*place]).count();
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ORDERS: u128 = 3;

    /// Twelve events, the first of each of three orders, then the second of each, and so on.
    fn log() -> Vec<Row> {
        let row = |n: u128| Row {
            seq: n as i64 + 1,
            cursor: format!("c{n}"),
            event: EventId(Uuid::from_u128(100 + n)),
            order: OrderId(Uuid::from_u128(n % ORDERS)),
            version: (n / ORDERS) as i64 + 1,
            audience: Audience::Public,
            before: None,
            after: None,
        };
        (0..12).map(row).collect()
    }

    fn writes(log: &[Row]) -> Vec<Acknowledged> {
        let write = |row: &Row| Acknowledged { order: row.order, event: row.event, version: row.version };
        log.iter().map(write).collect()
    }

    fn receipts(log: &[Row]) -> Vec<Receipt> {
        let receipt = |row: &Row| Receipt {
            cursor: row.cursor.clone(),
            order: row.order,
            event: Some((row.event, row.version)),
        };
        log.iter().map(receipt).collect()
    }

    /// The verdict on one reader that was to be told of everything.
    fn of(change: impl FnOnce(&mut Vec<Receipt>)) -> Verdict {
        let log = log();
        let mut receipts = receipts(&log);
        change(&mut receipts);
        judge(&writes(&log), &log, &[Testimony { due: vec![Due::Event; log.len()], receipts }])
    }

    const WHOLE: Verdict =
        Verdict { acknowledged: 12, delivered: 12, lost: 0, repeated: 0, out_of_order: 0, invented: 0 };

    #[test]
    fn everything_once_and_in_order_is_good() {
        let verdict = of(|_| {});
        assert_eq!(verdict, WHOLE);
        assert!(verdict.is_good());
    }

    #[test]
    fn a_receipt_that_is_missing_is_lost() {
        for n in 0..12 {
            let verdict = of(|receipts| drop(receipts.remove(n)));
            assert_eq!(verdict, Verdict { delivered: 11, lost: 1, ..WHOLE });
            assert!(!verdict.is_good());
        }
    }

    #[test]
    fn a_receipt_that_comes_again_is_repeated() {
        for n in 0..12 {
            let verdict = of(|receipts| receipts.push(receipts[n].clone()));
            assert_eq!(verdict, Verdict { repeated: 1, ..WHOLE });
            assert!(!verdict.is_good());
        }
    }

    #[test]
    fn receipts_that_change_places_are_out_of_order() {
        for n in 0..11 {
            let verdict = of(|receipts| receipts.swap(n, n + 1));
            assert_eq!(verdict, Verdict { out_of_order: 1, ..WHOLE });
            assert!(!verdict.is_good());
        }
    }

    #[test]
    fn what_the_log_does_not_hold_is_invented_and_so_is_what_is_for_others() {
        let nowhere = |receipts: &mut Vec<Receipt>| receipts[3].cursor = "elsewhere".to_owned();
        assert_eq!(of(nowhere), Verdict { delivered: 11, lost: 1, invented: 1, ..WHOLE });
        let another = |receipts: &mut Vec<Receipt>| receipts[3].event = receipts[4].event;
        assert_eq!(of(another), Verdict { delivered: 11, lost: 1, invented: 1, ..WHOLE });
        let log = log();
        let mut due = vec![Due::Event; log.len()];
        due[4] = Due::Nothing;
        let receipts = receipts(&log);
        let verdict = judge(&writes(&log), &log, &[Testimony { due, receipts }]);
        assert_eq!(verdict, Verdict { delivered: 11, invented: 1, ..WHOLE });
    }

    #[test]
    fn while_rights_change_an_event_may_be_told_once() {
        let log = log();
        let mut due = vec![Due::Event; log.len()];
        due[11] = Due::Maybe;
        let judged =
            |receipts: Vec<Receipt>| judge(&writes(&log), &log, &[Testimony { due: due.clone(), receipts }]);
        assert_eq!(judged(receipts(&log)), WHOLE);
        assert_eq!(judged(receipts(&log[..11])), Verdict { delivered: 11, ..WHOLE });
        let twice = [receipts(&log), receipts(&log[11..])].concat();
        assert_eq!(judged(twice), Verdict { repeated: 1, ..WHOLE });
    }

    #[test]
    fn of_an_order_that_has_left_the_id_alone_is_told() {
        let log = log();
        let mut due = vec![Due::Event; log.len()];
        (due[0], due[6]) = (Due::Left, Due::Word);
        let judged =
            |receipts: Vec<Receipt>| judge(&writes(&log), &log, &[Testimony { due: due.clone(), receipts }]);
        let mut told = receipts(&log);
        assert_eq!(judged(told.clone()), Verdict { delivered: 11, lost: 1, invented: 1, ..WHOLE });
        told[0].event = None;
        assert_eq!(judged(told.clone()), WHOLE);
        told[6].event = None;
        assert_eq!(judged(told.clone()), WHOLE);
        told[7].event = None;
        assert_eq!(judged(told), Verdict { delivered: 11, lost: 1, invented: 1, ..WHOLE });
    }

    #[test]
    fn a_write_that_the_log_does_not_hold_is_lost_and_one_that_nobody_asked_for_is_repeated() {
        let (log, none) = (log(), [] as [Testimony; 0]);
        let whole = Verdict { delivered: 0, ..WHOLE };
        assert_eq!(judge(&writes(&log), &log, &none), whole);
        assert_eq!(judge(&writes(&log), &log[..11], &none), Verdict { lost: 1, ..whole });
        let fewer = Verdict { acknowledged: 11, repeated: 1, ..whole };
        assert_eq!(judge(&writes(&log[..11]), &log, &none), fewer);
        let mut answered_alike = writes(&log);
        answered_alike[3] = answered_alike[0];
        let verdict = judge(&answered_alike, &log, &none);
        assert_eq!(verdict, Verdict { lost: 1, repeated: 1, ..whole });
    }

    #[test]
    fn versions_that_do_not_follow_each_other_are_out_of_order() {
        let mut log = log();
        log.swap(2, 5);
        let verdict = judge(&writes(&log), &log, &[]);
        // Version 2 before 1, 1 after 2, and 3 after 1.
        assert_eq!((verdict.lost, verdict.repeated, verdict.out_of_order), (0, 0, 2), "{verdict}");
    }
}
