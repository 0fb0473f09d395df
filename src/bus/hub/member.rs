//! One subscription's place in its group: a position, not a queue.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use domain::id::UserId;

use super::{Hub, Listener, Teller, Tidings, desk::Found, group::Group};
use crate::store::event::Position;

/// How far back a group reads for those who join it; whoever has missed more reads the log alone.
const REACH: i64 = 2_000;

/// What a member hears.
#[derive(Debug)]
pub enum Heard<W> {
    /// Words for the whole group.
    Words(W),
    /// Something about an order of its own, to be told in words of its own.
    Own(Tidings),
    /// It has missed more than the group remembers, and has to read the log itself.
    Behind,
    /// Its rights are no longer the group's: it has to join another.
    Moved,
}

/// A place in a group, given up when it is dropped.
pub struct Member<T: Teller> {
    hub: Arc<Hub<T>>,
    group: Arc<Group<T>>,
    seat: usize,
    person: Option<UserId>,
    position: Position,
    /// It has not caught up with the group yet since it came.
    joining: bool,
}

impl<T: Teller> std::fmt::Debug for Member<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("position", &self.position).finish_non_exhaustive()
    }
}

impl<T: Teller> Member<T> {
    pub(super) fn sit(hub: Arc<Hub<T>>, group: Arc<Group<T>>, listener: Listener<T::Who>) -> Member<T> {
        let Listener { who, person, position } = listener;
        let seat = group.desk().sit(who);
        let person = person.filter(|_| group.is_impersonal());
        Member { hub, group, seat, person, position, joining: true }
    }

    /// Who tells the group.
    pub fn teller(&self) -> &T {
        self.group.teller()
    }

    /// Everything up to here has been heard.
    pub fn position(&self) -> Position {
        self.position
    }

    /// It has heard everything up to a position by itself.
    pub fn go_on_behind(&mut self, position: Position) {
        self.position = position;
    }

    /// Whether it has not caught up with its group yet since it came.
    pub fn is_joining(&self) -> bool {
        self.joining
    }

    /// What comes next after its position.
    pub fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard<T::Words>> {
        let mut desk = self.group.desk();
        match desk.look(self.seat, self.position.seq) {
            Found::Next(told) => {
                self.joining = false;
                if is_of(&told.tidings, self.person) {
                    return Poll::Ready(Heard::Own(told.tidings.clone()));
                }
                self.position = told.tidings.position();
                return Poll::Ready(Heard::Words(told.words.clone()));
            }
            Found::Moved => return Poll::Ready(Heard::Moved),
            Found::Behind if self.joining && desk.since - self.position.seq <= REACH => {
                desk.wait(self.seat, cx);
                drop(desk);
                self.group.reach_back(self.position.seq);
                return Poll::Pending;
            }
            Found::Behind => return Poll::Ready(Heard::Behind),
            Found::Nothing => self.joining = false,
        }
        desk.wait(self.seat, cx);
        Poll::Pending
    }
}

/// Whether tidings are about an order that this person placed.
fn is_of(tidings: &Tidings, person: Option<UserId>) -> bool {
    let (Some(person), Tidings::Sighting { logged, .. }) = (person, tidings) else { return false };
    let mut facets = logged.event.before.iter().chain(&logged.event.after);
    facets.any(|facet| facet.parties.creator == Some(person))
}

impl<T: Teller> Drop for Member<T> {
    fn drop(&mut self) {
        let is_last = {
            let mut desk = self.group.desk();
            desk.leave(self.seat);
            desk.is_empty()
        };
        if is_last {
            self.hub.part(&self.group);
        }
    }
}
