//! Random commands by random people, from bytes that proptest throws and shrinks.

use domain::{
    actor::Actor,
    event::Audience,
    order::{Command, Line, OrderKind, PaymentMethod, ProductKind, Transition},
    workflow::Target,
};

use crate::{
    build::{
        Basket, Placed, an_order, anna_agent, arne_agent, assignee, carla, cleo_csr, cyril_csr, eur, failure,
    },
    matrix::well_supplied,
};

/// One throw: who, what, which, and how.
pub type Dice = [u8; 4];

pub fn pick<T: Clone>(from: &[T], die: u8) -> T {
    from[die as usize % from.len()].clone()
}

/// An order of some workflow in its first status.
pub fn some_basket(dice: Dice) -> Basket {
    let code = pick(&["cloud", "hosting", "marketplace", "delivery", "commerce"], dice[0]);
    let mut basket = an_order(code).expired().priced(i64::from(dice[1] % 4) * 5);
    basket.facts.expiry_enabled = dice[1] & 64 != 0;
    basket = match dice[2] % 3 {
        0 => basket,
        1 => basket.twice(),
        _ => basket.and_another(),
    };
    if dice[3] & 1 != 0 {
        basket = basket.without_consumer_approval();
    }
    if dice[3] & 2 != 0 {
        basket = basket.without_provider_approval();
    }
    if code == "marketplace" {
        basket = basket.of_kind(pick(&[ProductKind::Basic, ProductKind::Vps], dice[3] >> 2));
    }
    let works_on = [None, Some(OrderKind::Update), Some(OrderKind::Terminate)];
    match pick(&works_on, dice[3] >> 4) {
        Some(kind) if basket.draft.lines.len() == 1 && !matches!(code, "delivery" | "commerce") => {
            basket.on_a_resource(kind)
        }
        _ => basket,
    }
}

pub fn some_order(dice: Dice) -> Placed {
    some_basket(dice).placed_by(&carla())
}

/// Some command on this order; sensible more often than not.
pub fn some_command(placed: &Placed, [_, what, which, how]: Dice) -> Command {
    match what % 16 {
        0 | 1 => payment_or_refund(placed, which, how),
        2 => Command::AssignCsr(
            pick(&[None, Some(cleo_csr()), Some(cyril_csr())], which).as_ref().map(assignee),
        ),
        3 | 4 => {
            let agents = [Some(anna_agent()), Some(arne_agent()), None, Some(carla())];
            Command::AssignAgent(pick(&agents, which).as_ref().map(assignee))
        }
        5 => Command::AddNote { body: "noted".to_owned(), audience: pick(&Audience::ALL, which) },
        7 => some_line(placed, which, how),
        6 => some_move(placed, &placed.workflow.actions(), which, how),
        _ => some_move(placed, &placed.workflow.actions_from(placed.status()), which, how),
    }
}

fn some_line(placed: &Placed, which: u8, how: u8) -> Command {
    let item = pick(&placed.order.items, which).id;
    let backend_id = (how & 4 != 0).then(|| "vm-9".to_owned());
    Command::Line(match how % 3 {
        0 => Line::Provisioned { item, backend_id },
        1 => Line::Failed { item, failure: failure("no space"), backend_id },
        _ => Line::Retry { item, inputs: None, overrides: how & 8 != 0, reason: Some("because".to_owned()) },
    })
}

fn payment_or_refund(placed: &Placed, which: u8, how: u8) -> Command {
    let cents = [1, 500, placed.order.head.due(), placed.order.head.total, 0];
    let amount = eur(pick(&cents, how));
    if which & 1 == 0 {
        return Command::RecordPayment {
            amount,
            method: pick(PaymentMethod::ALL, which >> 1),
            reference: None,
        };
    }
    let one = placed.order.payments.first().map(|payment| payment.id);
    Command::Refund {
        amount: (which & 2 != 0).then_some(amount),
        payment: one.filter(|_| which & 4 != 0),
        reason: "not wanted".to_owned(),
    }
}

fn some_move(placed: &Placed, actions: &[&str], which: u8, how: u8) -> Command {
    let Some(action) = (!actions.is_empty()).then(|| pick(actions, which)) else {
        return Command::Transition(Transition { action: "nothing".to_owned(), ..Transition::default() });
    };
    let codes: Vec<_> = placed.workflow.statuses.iter().map(|status| status.code.clone()).collect();
    let chosen =
        placed.workflow.transitions.iter().any(|row| row.action == action && row.to == Target::Chosen);
    let to = chosen.then(|| pick(&codes, how));
    let mut input = well_supplied(placed, action, to.as_deref());
    input.keep_credit = how & 16 != 0;
    if how & 224 == 224 {
        input.reason = None;
        input.error = None;
    }
    if how & 32 != 0 && placed.order.items.len() > 1 {
        input.items = Some(vec![placed.order.items[usize::from(how & 1)].id]);
    }
    Command::Transition(input)
}

/// Somebody; staff and the provider more often, lest most commands are refused.
pub fn somebody(people: &[Actor], die: u8) -> Actor {
    use crate::build::{admin, provider, staff};
    match die % 4 {
        0 => staff(),
        1 => pick(&[admin(), provider(), Actor::System, carla()], die / 4),
        _ => pick(people, die / 4),
    }
}
