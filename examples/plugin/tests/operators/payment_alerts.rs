//! `PaymentAlerts`: variables, timers, time to live, a port of its own.

use activity_operators::PaymentAlerts;
use watershed::prelude::TimeSpan;
use watershed::testing::{Epochs, OperatorHarness, Result, Tested, assert_table};

use crate::same_answers;

const COLUMNS: &str = "at | card | merchant | amount";

fn alerts() -> Tested {
    let minute = TimeSpan::from_minutes(1);
    let alerts = PaymentAlerts { small: 1.0, large: 500.0, within: minute, quiet: TimeSpan::from_hours(1) };
    Tested::new(alerts)
        .input("at TIMESTAMP NOT NULL, card STRING NOT NULL, merchant STRING NOT NULL, amount DOUBLE NOT NULL")
        .event_time("at")
}

/// Feeds payments of one card, `HH:MM:SS merchant amount`, and ends the epoch.
fn pay(harness: &mut OperatorHarness, payments: &[&str]) -> Result<watershed::testing::EpochOutput> {
    let row = |payment: &&str| {
        let [time, merchant, amount] = payment.split(' ').collect::<Vec<_>>()[..] else {
            panic!("`{payment}` is no time, merchant and amount")
        };
        format!("2026-01-01T{time}Z | c1 | {merchant} | {amount}\n")
    };
    let rows: String = payments.iter().map(row).collect();
    harness.feed("in", format!("{COLUMNS}\n{rows}"))?;
    harness.end_epoch()
}

#[test]
fn a_large_payment_after_a_small_one_is_told_with_what_came_before() -> Result<()> {
    let mut harness = alerts().harness()?;
    pay(&mut harness, &["09:00:00 shop 20", "09:10:00 shop 30"])?;
    // In the order of time, whatever the order of arrival.
    let output = pay(&mut harness, &["10:00:40 shop 700", "10:00:00 kiosk 0.5"])?;
    assert_table!(
        output["out"],
        "
        | at                   | card | merchant | amount | trial | before        | visits |
        | 2026-01-01T10:00:40Z | c1   | shop     | 700    | 0.5   | [20, 30, 0.5] | 2      |
        "
    );
    Ok(())
}

#[test]
fn a_trial_is_forgotten_after_a_minute() -> Result<()> {
    let mut harness = alerts().harness()?;
    pay(&mut harness, &["10:00:00 kiosk 0.5"])?;
    assert_eq!(harness.state()?.table("trial")?.len(), 1);
    assert_table!(pay(&mut harness, &["10:01:01 shop 700"])?["out"], "");
    harness.set_watermark("2026-01-01T10:01:00Z")?;
    harness.end_epoch()?;
    assert_eq!(harness.state()?.table("trial")?.len(), 0, "the timer has cleared it");
    Ok(())
}

#[test]
fn there_is_one_alert_an_hour() -> Result<()> {
    let mut harness = alerts().harness()?;
    harness.set_clock("2026-01-01T10:00:00Z")?;
    assert_eq!(pay(&mut harness, &["10:00:00 a 0.5", "10:00:10 b 700", "10:00:20 b 800"])?["out"].len(), 1);
    harness.set_clock("2026-01-01T10:59:59Z")?;
    assert_eq!(pay(&mut harness, &["10:59:00 a 0.5", "10:59:10 b 700"])?["out"].len(), 0, "still quiet");
    harness.set_clock("2026-01-01T11:00:00Z")?;
    assert_eq!(pay(&mut harness, &["11:00:00 a 0.5", "11:00:10 b 700"])?["out"].len(), 1, "the hour is over");
    Ok(())
}

#[test]
fn payments_of_nothing_leave_by_a_port_of_their_own() -> Result<()> {
    let mut harness = alerts().harness()?;
    let output = pay(&mut harness, &["10:00:00 shop 0", "10:00:01 shop -5", "10:00:02 shop 3"])?;
    assert_table!(
        output["refused"],
        "
        | at                   | card | merchant | amount |
        | 2026-01-01T10:00:00Z | c1   | shop     | 0      |
        | 2026-01-01T10:00:01Z | c1   | shop     | -5     |
        "
    );
    assert_table!(output["out"], "");
    Ok(())
}

#[test]
fn the_answer_does_not_depend_on_how_it_is_computed() -> Result<()> {
    same_answers(&alerts(), Epochs::Same)
}
