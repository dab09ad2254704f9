//! Rows of the shape of the activity data: what phones carried by a few people recorded of their movements.
//!
//! A row is a function of the seed and its number, so the same [`Activity`] gives the same bytes on every machine, in any
//! number of files, and any range of it can be made alone. Rows come in the order in which a collector received them:
//! most within two seconds after they were recorded, one in a hundred up to an hour late, and one in fifty a second
//! time.
//!
//! ```
//! use watershed_benches::activity::Activity;
//!
//! let activity = Activity::of_rows(1_000);
//! assert_eq!(activity.row(7), Activity::of_rows(1_000).row(7));
//! assert!(activity.row(999).created_nanos > activity.row(0).created_nanos);
//! ```

mod columns;
mod files;
mod text;

pub use columns::{Columns, batches, schema};
pub use files::{FileFormat, write_files};
pub use text::{csv_header, push_csv, push_json};

use crate::random::Random;

/// The phones, two of each model.
pub const DEVICES: [(&str, &str); 8] = [
    ("nexus4_1", "nexus4"),
    ("nexus4_2", "nexus4"),
    ("s3_1", "s3"),
    ("s3_2", "s3"),
    ("s3mini_1", "s3mini"),
    ("s3mini_2", "s3mini"),
    ("samsungold_1", "samsungold"),
    ("samsungold_2", "samsungold"),
];

/// What people do (`gt`, the ground truth), and how far it moves a phone: the most that `x`, `y` and `z` come to, in
/// ten-millionths.
pub const DEEDS: [(&str, u64); 7] = [
    ("stand", 900_000),
    ("sit", 300_000),
    ("walk", 42_000_000),
    ("bike", 24_000_000),
    ("stairsup", 54_000_000),
    ("stairsdown", 66_000_000),
    ("null", 15_000_000),
];

/// The first moment, 2015-02-23T10:00:00Z.
const START_MICROS: i64 = 1_424_685_600_000_000;
/// As many rows per minute as in the measurements of the design: 6.24 million in 240 hours.
const ROWS_PER_MINUTE: u64 = 433;
const MICROS_PER_MINUTE: u64 = 60_000_000;
const MICROS_PER_HOUR: u64 = 60 * MICROS_PER_MINUTE;
/// How long a crowd of users stays together, and how long a user goes on doing the same.
const CROWD_MICROS: i64 = 20 * MICROS_PER_MINUTE as i64;
const DEED_MICROS: i64 = 5 * MICROS_PER_MINUTE as i64;

/// A set of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Chooses one of many sets alike.
    pub seed: u64,
    /// The number of rows.
    pub rows: u64,
    /// The event time that they cover.
    pub minutes: u64,
    /// The number of users: 9 in the real data, `a` to `i`. At any time a third of them is about.
    pub users: u64,
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// When it was received: milliseconds since 1970.
    pub arrived_millis: i64,
    /// When it was recorded, the event time: nanoseconds since 1970.
    pub created_nanos: i64,
    /// Which of [`DEVICES`].
    pub device: usize,
    /// A running number of the device's rows.
    pub index: i64,
    /// Which user.
    pub user: u64,
    /// Which of [`DEEDS`].
    pub deed: usize,
    /// The movement along the three axes.
    pub motion: [f64; 3],
}

impl Activity {
    /// `rows` rows of 9 users, as dense in time as the real data.
    pub fn of_rows(rows: u64) -> Self {
        Self { seed: 1, rows, minutes: (rows / ROWS_PER_MINUTE).max(1), users: 9 }
    }

    /// The row at place `number`, which is below [`rows`](Self::rows).
    pub fn row(&self, number: u64) -> Row {
        let mut random = Random::of(self.seed, number);
        if random.below(100) < 2 && number > 0 {
            return self.row(number - 1 - random.below(number.min(500)));
        }
        let place = |number: u64| {
            let micros = u128::from(self.minutes * MICROS_PER_MINUTE) * u128::from(number) / u128::from(self.rows);
            micros as u64
        };
        let since_start = place(number) + random.below((place(number + 1) - place(number)).max(1));
        let delay = match random.below(100) {
            0 => random.below(MICROS_PER_HOUR) + 1,
            _ => random.below(2_000_000),
        };
        let created = START_MICROS + since_start.saturating_sub(delay) as i64;
        let user = self.user_at(created, &mut random);
        let deed = self.deed_of(user, created);
        Row {
            arrived_millis: (START_MICROS + since_start as i64) / 1_000,
            created_nanos: created * 1_000 + random.below(1_000) as i64,
            device: random.below(DEVICES.len() as u64) as usize,
            index: (number / DEVICES.len() as u64) as i64,
            user,
            deed,
            motion: [(); 3].map(|()| motion(DEEDS[deed].1, &mut random)),
        }
    }

    fn user_at(&self, micros: i64, random: &mut Random) -> u64 {
        let users = self.users.max(1);
        let crowd = (users / 3).max(1);
        let first = Random::of(self.seed ^ 0xc0, micros.div_euclid(CROWD_MICROS) as u64).below(users);
        (first + random.below(crowd)) % users
    }

    fn deed_of(&self, user: u64, micros: i64) -> usize {
        let stretch = micros.div_euclid(DEED_MICROS) as u64;
        Random::of(self.seed ^ 0xdeed ^ (user << 32), stretch).below(DEEDS.len() as u64) as usize
    }

    /// The name of a user: a letter, or `user` and a number where letters run out.
    pub fn user_name(&self, user: u64) -> String {
        if self.users <= 26 { char::from(b'a' + user as u8).to_string() } else { format!("user{user:06}") }
    }
}

/// A movement of at most `most` ten-millionths either way, small ones more often.
fn motion(most: u64, random: &mut Random) -> f64 {
    let third = most / 3;
    let sum: u64 = (0..3).map(|_| random.below(2 * third + 1)).sum();
    (sum as i64 - 3 * third as i64) as f64 / 1e7
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_row_depends_on_the_seed_and_its_number_alone() {
        let activity = Activity::of_rows(10_000);
        let other = Activity { seed: 2, ..activity.clone() };
        assert_eq!(activity.row(5_000), activity.row(5_000));
        assert_ne!(activity.row(5_000), other.row(5_000));
    }

    #[test]
    fn one_in_a_hundred_is_late_by_up_to_an_hour_and_one_in_fifty_is_repeated() {
        let activity = Activity::of_rows(50_000);
        let rows: Vec<Row> = (0..activity.rows).map(|number| activity.row(number)).collect();
        let delays = rows.iter().map(|row| row.arrived_millis - row.created_nanos / 1_000_000);
        let late: Vec<i64> = delays.filter(|&delay| delay > 2_000).collect();
        assert!((350..650).contains(&late.len()), "{} rows are late", late.len());
        assert!(late.iter().all(|&delay| delay <= 3_600_001), "the worst is {:?} ms", late.iter().max());
        let distinct: BTreeSet<(u64, i64)> = rows.iter().map(|row| (row.user, row.created_nanos)).collect();
        let repeated = rows.len() - distinct.len();
        assert!((850..1_150).contains(&repeated), "{repeated} rows are repeated");
    }

    #[test]
    fn rows_cover_the_users_the_devices_the_deeds_and_the_time() {
        let activity = Activity { minutes: 240, ..Activity::of_rows(20_000) };
        let rows: Vec<Row> = (0..activity.rows).map(|number| activity.row(number)).collect();
        assert_eq!(rows.iter().map(|row| row.user).collect::<BTreeSet<_>>().len(), 9);
        assert_eq!(rows.iter().map(|row| row.device).collect::<BTreeSet<_>>().len(), 8);
        assert_eq!(rows.iter().map(|row| row.deed).collect::<BTreeSet<_>>().len(), 7);
        let newest = rows.iter().map(|row| row.created_nanos).max().expect("rows");
        let oldest = rows.iter().map(|row| row.created_nanos).min().expect("rows");
        assert!(oldest >= START_MICROS * 1_000);
        assert_eq!((newest - oldest) / 60_000_000_000, 239);
    }
}
