//! Money: integer minor units with a currency. Never a float, never an implicit conversion.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// No amount in the system is larger, in minor units; sums of such amounts stay far from overflow.
pub const MAX_MINOR: i64 = 1_000_000_000_000_000;

/// How many parts a unit price or a tax rate divides its whole into.
pub const MILLION: i64 = 1_000_000;

/// A currency of ISO 4217 that has a minor unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The code of three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn decimals(self) -> u32 {
        self.0.exponent().unwrap_or(0).into()
    }
}

impl FromStr for Currency {
    type Err = String;
    fn from_str(code: &str) -> Result<Self, String> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Currency)
            .ok_or_else(|| "a currency is a code of ISO 4217 such as EUR".to_owned())
    }
}

impl TryFrom<String> for Currency {
    type Error = String;
    fn try_from(code: String) -> Result<Self, String> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units (cents) of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units; negative is a credit.
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// An amount that is already in minor units.
    pub fn new(minor: i64, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// Reads a decimal amount; more decimals than the currency has are refused, never rounded.
    pub fn from_decimal(amount: Decimal, currency: Currency) -> Result<Money, String> {
        let scaled = amount.normalize();
        if scaled.scale() > currency.decimals() {
            return Err(format!("{} has {} decimals", currency.code(), currency.decimals()));
        }
        scaled
            .checked_mul(Decimal::from(10_i64.pow(currency.decimals())))
            .and_then(|minor| i64::try_from(minor).ok())
            .filter(|minor| minor.abs() <= MAX_MINOR)
            .map(|minor| Money { minor, currency })
            .ok_or_else(|| "the amount is too large".to_owned())
    }

    /// The amount with the currency's decimals: 1050 cents are 10.50.
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.decimals())
    }
}

/// A price or rate per unit, in millionths of the currency's major unit: 0.0031 per GB-hour exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnitPrice(pub i64);

impl UnitPrice {
    /// Reads a decimal price; more than six decimals are refused.
    pub fn from_decimal(price: Decimal) -> Result<UnitPrice, String> {
        let scaled = price.normalize();
        if scaled.scale() > 6 || scaled.is_sign_negative() && !scaled.is_zero() {
            return Err("a unit price has at most six decimals and is not negative".to_owned());
        }
        scaled
            .checked_mul(Decimal::from(MILLION))
            .and_then(|micros| i64::try_from(micros).ok())
            .filter(|micros| *micros <= MAX_MINOR)
            .map(UnitPrice)
            .ok_or_else(|| "the price is too large".to_owned())
    }

    /// The price as a decimal of the major unit.
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.0, 6).normalize()
    }
}

/// `quantity` units at `price`, rounded half away from zero to minor units.
pub fn extend(price: UnitPrice, quantity: i64, currency: Currency) -> Result<i64, Refusal> {
    let millionths = i128::from(price.0) * i128::from(quantity) * 10_i128.pow(currency.decimals());
    bounded(round_div(millionths, MILLION.into()))
}

/// The part of an amount that a rate in millionths takes, rounded half away from zero.
pub fn share(minor: i64, rate: i64) -> Result<i64, Refusal> {
    bounded(round_div(i128::from(minor) * i128::from(rate), MILLION.into()))
}

fn round_div(value: i128, by: i128) -> i128 {
    let half = by / 2;
    if value < 0 { (value - half) / by } else { (value + half) / by }
}

fn bounded(minor: i128) -> Result<i64, Refusal> {
    i64::try_from(minor)
        .ok()
        .filter(|minor| minor.abs() <= MAX_MINOR)
        .ok_or_else(|| Refusal::invalid("lines", "the amount is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a currency")
    }

    #[test]
    fn a_line_is_rounded_half_away_from_zero_in_the_minor_unit_of_its_currency() {
        let rate = UnitPrice::from_decimal("0.0031".parse().expect("decimal")).expect("price");
        assert_eq!(extend(rate, 1_000, currency("EUR")), Ok(310));
        assert_eq!(extend(UnitPrice(5_000), 1, currency("EUR")), Ok(1));
        assert_eq!(extend(UnitPrice(4_999), 1, currency("EUR")), Ok(0));
        assert_eq!(extend(UnitPrice(1_500_000), 1, currency("JPY")), Ok(2));
        assert_eq!(extend(UnitPrice(1_234_567), 1, currency("KWD")), Ok(1_235));
    }

    #[test]
    fn an_amount_with_more_decimals_than_its_currency_is_refused() {
        let amount = |text: &str| text.parse::<Decimal>().expect("decimal");
        assert_eq!(Money::from_decimal(amount("10.50"), currency("EUR")).map(|m| m.minor), Ok(1050));
        assert_eq!(Money::from_decimal(amount("10.500"), currency("EUR")).map(|m| m.minor), Ok(1050));
        assert!(Money::from_decimal(amount("10.501"), currency("EUR")).is_err());
        assert!(Money::from_decimal(amount("0.5"), currency("JPY")).is_err());
        assert!(Money::from_decimal(amount("99999999999999999999"), currency("EUR")).is_err());
    }
}
