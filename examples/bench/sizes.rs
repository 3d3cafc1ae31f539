//! Downloads, as `scripts/size` measured them.

use crate::Problem;
use crate::figures::Figures;
use crate::options::Options;
use crate::run::World;
use crate::table::{Row, Unit};

/// One row for each line `VERDICT: size of NAME: N of M bytes …`.
pub(crate) fn sizes(_: &World, options: &Options) -> Result<Vec<Row>, Problem> {
    let Some(file) = &options.sizes else {
        return Ok(vec![Row::new("download", Unit::Size, 0.0)]);
    };
    let text = std::fs::read_to_string(file)?;
    let rows: Vec<Row> = text.lines().filter_map(row).collect();
    if rows.is_empty() {
        return Err(format!("{} tells no size", file.display()).into());
    }
    Ok(rows)
}

fn row(line: &str) -> Option<Row> {
    let (_, told) = line.split_once(": size of ")?;
    let (name, told) = told.split_once(": ")?;
    let mut words = told.split(' ');
    let size: f64 = words.next()?.parse().ok()?;
    let budget: f64 = words.nth(1)?.parse().ok()?;
    let row = Row::new(&format!("download of {name}"), Unit::Size, budget);
    Some(row.ours(Figures::of(vec![size])))
}
