//! Scalars whose form is part of the API.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime as Utc_, Datelike, NaiveDate, SecondsFormat, Utc};
use rust_decimal::Decimal as Decimal_;

/// A moment: RFC 3339 in UTC with milliseconds, `2026-11-21T08:00:00.000Z`. Any offset is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub Utc_<Utc>);

/// A moment: RFC 3339 in UTC with milliseconds, `2026-11-21T08:00:00.000Z`. Any offset is read.
#[Scalar(name = "DateTime", specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        Utc_::parse_from_rfc3339(text)
            .map(|at| DateTime(at.to_utc()))
            .map_err(|_| InputValueError::custom("a moment is written as 2026-11-21T08:00:00.000Z"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A day without a time: `2026-11-21`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date(pub NaiveDate);

/// A day without a time: `2026-11-21`.
#[Scalar(name = "Date", specified_by_url = "https://scalars.graphql.org/andimarek/local-date")]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            // Beyond, databases and clients differ.
            .filter(|day| (1..=9999).contains(&day.year()))
            .map(Date)
            .ok_or_else(|| InputValueError::custom("a day is written as 2026-11-21"))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%Y-%m-%d").to_string())
    }
}

/// An exact decimal number as a string: `"10.50"`. Never a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub Decimal_);

/// An exact decimal number as a string: `"10.50"`. Never a float.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_i64() => number.to_string(),
            _ => return Err(InputValueError::expected_type(value)),
        };
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        text.parse()
            .ok()
            .filter(|_| plain && text.len() <= 40)
            .map(Decimal)
            .ok_or_else(|| InputValueError::custom("a decimal number is written as \"10.50\""))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A currency of ISO 4217: `EUR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub domain::money::Currency);

/// A currency of ISO 4217: `EUR`.
#[Scalar(name = "CurrencyCode", specified_by_url = "https://www.iso.org/iso-4217-currency-codes.html")]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(code) = &value else { return Err(InputValueError::expected_type(value)) };
        code.parse().map(CurrencyCode).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}
