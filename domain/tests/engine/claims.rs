//! Attempts held by workers: claimed once, kept by a lease, ended by their holder or lost.

use std::{collections::BTreeSet, sync::Arc};

use chrono::TimeDelta;
use domain::{
    actor::Actor,
    event::{Audience, Detail},
    id::AttemptId,
    order::{Attempt, Command, Hold, ItemStatus, Outcome, ResourceState, Work, awaits_worker, lease, renew},
    refusal::Refusal,
    role::{Role, RoleSet},
};

use crate::build::{
    Placed, an_order, carla, everybody, failure, member, mint, northern, provider, staff, user, worker,
};

fn claim(seconds: i64) -> Command {
    Command::Work(Work::Claim { lease: TimeDelta::seconds(seconds) })
}

fn succeed(hold: Hold) -> Command {
    Command::Work(Work::Succeed { hold, backend_id: Some("vm-7".to_owned()) })
}

fn fail(hold: Hold) -> Command {
    Command::Work(Work::Fail { hold, failure: failure("no space"), backend_id: None })
}

fn lose(attempt: AttemptId) -> Command {
    Command::Work(Work::Lose(attempt))
}

/// The worker with a token that names these actions alone.
fn only(actions: &[&str]) -> Actor {
    let Actor::User(person) = worker() else { panic!("a worker is a person") };
    let actions: BTreeSet<String> = actions.iter().map(|action| (*action).to_owned()).collect();
    Actor::User(domain::actor::Person { only: Some(Arc::new(actions)), ..person })
}

/// Another machine of the same provider.
fn second_worker() -> Actor {
    member(120, northern(), Role::Worker, &[])
}

/// A paid order, whose work nobody has begun.
fn confirmed() -> Placed {
    let mut placed = an_order("cloud").priced(0).placed_by(&carla());
    placed.does(&carla(), "submit");
    assert_eq!(placed.status(), "payment_confirmed");
    placed
}

/// The newest attempt that somebody holds.
fn held(placed: &Placed) -> Hold {
    let attempt = placed.order.attempts.iter().rfind(|attempt| attempt.claim.is_some()).expect("a claim");
    Hold { attempt: attempt.id, fence: attempt.fence }
}

fn awaits(placed: &Placed) -> bool {
    awaits_worker(&placed.workflow, &placed.order.head, &placed.order.attempts)
}

fn outcomes(placed: &Placed) -> Vec<Outcome> {
    placed.order.attempts.iter().map(|attempt| attempt.outcome).collect()
}

#[test]
fn a_claim_begins_the_work_moves_the_order_to_where_it_ends_and_names_its_holder() {
    let mut placed = confirmed();
    assert!(awaits(&placed));
    placed.commands(&worker(), claim(60));
    assert_eq!(placed.status(), "provisioning");
    assert_eq!(placed.last_events(3), ["STATUS_CHANGED", "STATUS_CHANGED", "UPDATED"]);
    let [attempt] = placed.order.attempts.as_slice() else { panic!("one attempt") };
    let claimed = attempt.claim.expect("a claim");
    assert_eq!((claimed.holder, attempt.fence, attempt.stage.as_str()), (user(&worker()), 1, "provisioning"));
    let event = placed.events.last().expect("an event");
    assert_eq!((event.audience, event.actor), (Audience::Provider, Some(user(&worker()))));
    assert_eq!(event.detail, Some(Detail::Attempt { id: attempt.id }));
    assert_eq!(claimed.until, event.at + TimeDelta::seconds(60));
    assert!(!awaits(&placed));
}

#[test]
fn while_a_lease_lives_nobody_else_claims_the_attempt_and_its_holder_not_twice() {
    let mut placed = confirmed();
    placed.commands(&worker(), claim(3_600));
    let until = placed.order.attempts[0].claim.expect("a claim").until;
    for actor in [worker(), second_worker()] {
        assert_eq!(placed.refuses_to(&actor, &claim(60)), Refusal::AttemptClaimed { until });
    }
    // A lease that ran out is no opening: the attempt has failed, it only has not been said yet.
    placed.minute += 120;
    assert_eq!(placed.refuses_to(&second_worker(), &claim(60)), Refusal::AttemptClaimed { until });
}

#[test]
fn the_holder_ends_the_order_well_with_the_backends_id_or_badly_with_its_failure() {
    let mut placed = confirmed();
    placed.commands(&worker(), claim(3_600));
    let mut failed = placed.clone();
    let hold = held(&placed);
    placed.commands(&worker(), succeed(hold));
    assert_eq!((placed.status(), outcomes(&placed)), ("fulfilled", vec![Outcome::Succeeded]));
    assert_eq!(placed.order.items[0].status, ItemStatus::Active);
    assert_eq!(placed.resource(), Some(ResourceState::Ok));
    assert_eq!(placed.order.resources[0].backend_id.as_deref(), Some("vm-7"));
    assert_eq!(placed.last_events(1), ["STATUS_CHANGED"]);
    failed.commands(&worker(), fail(hold));
    assert_eq!((failed.status(), outcomes(&failed)), ("failed", vec![Outcome::Failed]));
    assert_eq!(failed.order.attempts[0].failure, Some(failure("no space")));
    for order in [placed, failed] {
        assert_eq!(order.order.attempts[0].claim, None);
        for late in [succeed(hold), fail(hold)] {
            assert_eq!(order.refuses_to(&worker(), &late), Refusal::LeaseLost);
        }
    }
}

#[test]
fn whoever_is_late_or_never_held_the_attempt_is_refused() {
    let mut placed = confirmed();
    placed.commands(&worker(), claim(3_600));
    let hold = held(&placed);
    let stale = Hold { fence: hold.fence - 1, ..hold };
    for report in [succeed, fail] {
        assert_eq!(placed.refuses_to(&worker(), &report(stale)), Refusal::LeaseLost);
        assert_eq!(placed.refuses_to(&second_worker(), &report(hold)), Refusal::LeaseLost);
        assert_eq!(placed.refuses_to(&staff(), &report(hold)).code(), "NOT_PERMITTED");
    }
    placed.minute += 60;
    assert_eq!(
        placed.refuses_to(&worker(), &succeed(hold)),
        Refusal::LeaseLost,
        "the lease ended this minute"
    );
}

#[test]
fn a_lost_lease_fails_the_attempt_once_and_only_a_retry_runs_again_under_a_larger_number() {
    let mut placed = confirmed();
    placed.commands(&worker(), claim(120));
    let hold = held(&placed);
    assert_eq!(placed.refuses_to(&Actor::System, &lose(hold.attempt)), Refusal::LeaseLost, "it lives");
    placed.minute += 1;
    assert_eq!(placed.refuses_to(&staff(), &lose(hold.attempt)).code(), "NOT_PERMITTED");
    placed.commands(&Actor::System, lose(hold.attempt));
    assert_eq!(placed.status(), "failed");
    let told = placed.order.attempts[0].failure.clone().expect("a failure");
    assert_eq!((told.category.name(), told.message.as_str()), ("INFRASTRUCTURE", "worker lost"));
    assert_eq!(placed.events.last().expect("an event").actor, None);
    assert_eq!(placed.refuses_to(&Actor::System, &lose(hold.attempt)), Refusal::LeaseLost, "twice");
    assert_eq!(placed.refuses_to(&worker(), &claim(60)).code(), "ILLEGAL_TRANSITION");
    assert!(!awaits(&placed));
    placed.does(&staff(), "retry");
    assert!(awaits(&placed));
    placed.commands(&second_worker(), claim(3_600));
    let again = held(&placed);
    assert_ne!(again.attempt, hold.attempt);
    assert_eq!((again.fence, placed.order.attempts[1].number), (hold.fence + 1, 2));
    assert_eq!(placed.refuses_to(&worker(), &succeed(hold)), Refusal::LeaseLost);
    placed.commands(&second_worker(), succeed(again));
    assert_eq!(placed.status(), "fulfilled");
}

#[test]
fn lines_end_one_by_one_and_the_order_with_the_last_of_them() {
    let mut placed = an_order("cloud").priced(0).twice().placed_by(&carla());
    placed.does(&carla(), "submit").commands(&worker(), claim(3_600));
    let first = held(&placed);
    assert!(awaits(&placed), "for the other line");
    placed.commands(&second_worker(), claim(3_600));
    assert_eq!(placed.last_events(1), ["UPDATED"]);
    let second = held(&placed);
    let mut half = placed.clone();
    placed.commands(&worker(), fail(first));
    assert_eq!((placed.status(), placed.last_events(1)), ("provisioning", vec!["UPDATED"]));
    assert_eq!(
        placed.events.last().expect("an event").audience,
        Audience::Public,
        "lines are the buyer's too"
    );
    placed.commands(&second_worker(), succeed(second));
    assert_eq!(placed.status(), "failed", "one line failed");
    let states: Vec<ItemStatus> = placed.order.items.iter().map(|item| item.status).collect();
    assert_eq!(states, [ItemStatus::Failed, ItemStatus::Active]);
    placed.does(&staff(), "retry").commands(&worker(), claim(3_600));
    assert_eq!(
        outcomes(&placed),
        [Outcome::Failed, Outcome::Succeeded, Outcome::Running],
        "the other is done"
    );
    let hold = held(&placed);
    placed.commands(&worker(), succeed(hold));
    assert_eq!(placed.status(), "fulfilled");
    half.commands(&second_worker(), succeed(second)).commands(&worker(), succeed(first));
    assert_eq!(half.status(), "fulfilled");
}

#[test]
fn people_may_end_a_claimed_attempt_by_hand_and_other_workers_may_not() {
    let mut placed = confirmed();
    placed.commands(&worker(), claim(3_600));
    let hold = held(&placed);
    for actor in [worker(), second_worker()] {
        assert_eq!(placed.refuses(&actor, "fulfill").code(), "ATTEMPT_CLAIMED");
    }
    for actor in [staff(), provider()] {
        let mut placed = placed.clone();
        placed.does(&actor, "fulfill");
        assert_eq!(placed.order.attempts[0].claim, None);
        assert_eq!(placed.refuses_to(&worker(), &succeed(hold)), Refusal::LeaseLost);
    }
    let mut unclaimed = confirmed();
    unclaimed.does(&worker(), "validate").does(&worker(), "provision").does(&worker(), "fulfill");
}

#[test]
fn workers_alone_claim_and_a_token_claims_what_its_actions_can_finish() {
    let placed = confirmed();
    for actor in everybody() {
        let done = placed.decided(&actor, &claim(60));
        let sees = !actor.standing(&placed.order.head.parties, false).is_empty();
        match done.map_err(|refusal| refusal.code()) {
            Ok(_) => assert_eq!(actor, worker()),
            Err(code) => assert_eq!(code, if sees { "NOT_PERMITTED" } else { "NOT_FOUND" }, "{actor:?}"),
        }
    }
    for (actions, begins, ends) in [
        (&["validate", "provision", "fulfill", "fail"][..], true, true),
        (&["provision", "fulfill"], false, true),
        (&["fulfill"], false, false),
        (&["cancel"], false, false),
    ] {
        let robot = only(actions);
        assert_eq!(placed.decided(&robot, &claim(60)).is_ok(), begins, "{actions:?}");
        let mut validating = placed.clone();
        validating.does(&staff(), "validate");
        assert_eq!(validating.decided(&robot, &claim(60)).is_ok(), ends, "{actions:?}");
    }
    let mut placed = placed;
    placed.does(&staff(), "validate").commands(&only(&["provision", "fulfill"]), claim(3_600));
    let hold = held(&placed);
    assert_eq!(placed.refuses_to(&only(&["provision", "fulfill"]), &fail(hold)).code(), "NOT_PERMITTED");
}

#[test]
fn a_worker_carries_out_every_workflow_that_has_attempts() {
    let mut marketplace = an_order("marketplace").without_consumer_approval().without_provider_approval();
    marketplace = marketplace.priced(0);
    let mut placed = marketplace.placed_by(&carla());
    assert_eq!(placed.status(), "executing");
    placed.commands(&worker(), claim(3_600));
    let hold = held(&placed);
    placed.commands(&worker(), succeed(hold));
    assert_eq!(placed.status(), "done");
    // Hosting: lines are provisioned, and the order's status stays.
    let mut placed = an_order("hosting").twice().placed_by(&carla());
    assert_eq!(placed.refuses_to(&worker(), &claim(60)).code(), "ILLEGAL_TRANSITION");
    placed.does(&staff(), "accept").commands(&worker(), claim(3_600));
    let first = held(&placed);
    placed.commands(&worker(), fail(first)).commands(&worker(), claim(3_600));
    let second = held(&placed);
    assert_eq!(placed.refuses_to(&only(&["fail"]), &succeed(second)).code(), "NOT_PERMITTED");
    placed.commands(&only(&["fulfill"]), succeed(second));
    assert_eq!((placed.status(), placed.last_events(1)), ("active", vec!["UPDATED"]));
    let states: Vec<ItemStatus> = placed.order.items.iter().map(|item| item.status).collect();
    assert_eq!(states, [ItemStatus::Failed, ItemStatus::Active]);
    let mut fraud = an_order("hosting").placed_by(&carla());
    fraud.does(&staff(), "accept");
    assert!(awaits(&fraud));
    fraud.does_because(&staff(), "mark_fraud", "stolen card");
    assert!(!awaits(&fraud), "it was called off");
    assert_eq!(fraud.refuses_to(&worker(), &claim(60)).code(), "ILLEGAL_TRANSITION");
    for code in ["delivery", "commerce"] {
        let placed = an_order(code).placed_by(&carla());
        assert_eq!(placed.refuses_to(&worker(), &claim(60)).code(), "ILLEGAL_TRANSITION", "{code}");
        assert!(!awaits(&placed), "{code}");
    }
}

#[test]
fn a_lease_is_renewed_by_its_holder_while_it_lives_and_within_bounds() {
    let mut placed = confirmed();
    placed.commands(&worker(), claim(60));
    let (hold, now) = (held(&placed), mint(placed.minute).now());
    let attempts: Vec<Attempt> = placed.order.attempts.clone();
    let me = (worker().user(), RoleSet::of(&[Role::Worker]));
    let longer = (hold, TimeDelta::seconds(90));
    let renewal = renew(&attempts, me, longer, now + TimeDelta::seconds(59)).expect("it is renewed");
    assert_eq!((renewal.attempt(), renewal.until()), (hold.attempt, now + TimeDelta::seconds(149)));
    let refused =
        |who, (hold, at)| renew(&attempts, who, (hold, TimeDelta::seconds(60)), at).expect_err("no");
    assert_eq!(refused(me, (hold, now + TimeDelta::seconds(60))), Refusal::LeaseLost);
    assert_eq!(refused(me, (Hold { fence: 0, ..hold }, now)), Refusal::LeaseLost);
    assert_eq!(refused((second_worker().user(), me.1), (hold, now)), Refusal::LeaseLost);
    assert_eq!(refused((me.0, RoleSet::of(&[Role::Staff])), (hold, now)).code(), "NOT_PERMITTED");
    assert_eq!(lease(None), Ok(TimeDelta::seconds(60)));
    for (seconds, allowed) in [(9, false), (10, true), (3_600, true), (3_601, false), (i64::MIN, false)] {
        assert_eq!(lease(Some(seconds)).is_ok(), allowed, "{seconds}");
    }
}
