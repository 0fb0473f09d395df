//! Subtotal, discounts, tax and total. Tax is rounded per line, so that lines add up to the order.

use super::{Head, Item, Order};
use crate::{
    money::{MAX_MINOR, extend, share},
    refusal::Refusal,
};

/// Sets a line's tax and total from its quantity, price, rate and discount.
pub(super) fn price_line(item: &mut Item, head: &Head) -> Result<(), Refusal> {
    let gross = extend(item.unit_price, item.quantity, head.currency)?;
    if item.discount < 0 || item.discount > gross {
        let path = format!("lines.{}.discount", item.position - 1);
        return Err(Refusal::invalid(&path, "a discount is between zero and the line's price"));
    }
    item.line_total = gross - item.discount;
    item.tax = share(item.line_total, item.tax_rate)?;
    Ok(())
}

/// Prices every line and adds them up.
pub(super) fn price_order(order: &mut Order) -> Result<(), Refusal> {
    let Order { head, items, .. } = order;
    for item in items.iter_mut() {
        price_line(item, head)?;
    }
    head.discount = items.iter().map(|item| item.discount).sum();
    head.subtotal = items.iter().map(|item| item.line_total).sum::<i64>() + head.discount;
    head.tax = items.iter().map(|item| item.tax).sum();
    head.total = head.subtotal - head.discount + head.tax + head.delivery_fee;
    if head.total > MAX_MINOR {
        return Err(Refusal::invalid("lines", "the order's total is too large"));
    }
    Ok(())
}
