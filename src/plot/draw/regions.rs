//! From a grid of samples to the outlines of the regions that they belong to.

use std::collections::BTreeMap;

use crate::plot::draw::canvas::Point;

/// Samples on a grid, row by row from the lowest.
pub struct Grid<'a> {
    /// Samples of a row.
    pub columns: usize,
    /// Number of rows.
    pub rows: usize,
    /// The region of every sample.
    pub region: &'a [u8],
    /// Where between two neighbours of different regions, as a share of the way from the first to the
    /// second, the one region ends.
    pub crossing: &'a dyn Fn(usize, usize) -> f64,
}

/// A place between two neighbouring points of the grid: the lower left one, and whether the other is
/// above it. The grid is thought of as surrounded by points of no region.
type Edge = (i64, i64, bool);

/// The outer outlines of every region with their corners in grid coordinates, the largest first: drawn
/// in this order, a region that lies within another lies over it.
pub fn outlines(grid: &Grid) -> Vec<(u8, Vec<Point>)> {
    let mut next: BTreeMap<(u8, Edge), (Option<Point>, Edge)> = BTreeMap::new();
    for j in -1..grid.rows as i64 {
        for i in -1..grid.columns as i64 {
            square(grid, i, j, &mut next);
        }
    }
    let mut found: Vec<(f64, u8, Vec<Point>)> = Vec::new();
    while let Some((&(region, start), _)) = next.first_key_value() {
        let (mut corners, mut edge) = (Vec::new(), start);
        while let Some((centre, following)) = next.remove(&(region, edge)) {
            corners.push(grid.place(edge));
            corners.extend(centre);
            edge = following;
        }
        let corners = without_straight(corners);
        let area = area(&corners);
        // Clockwise ones are holes: what fills them is drawn over them.
        if area > 0.0 {
            found.push((area, region, corners));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, region, corners)| (region, corners)).collect()
}

/// Of four neighbouring points: how the outlines of their regions pass between them.
fn square(grid: &Grid, i: i64, j: i64, next: &mut BTreeMap<(u8, Edge), (Option<Point>, Edge)>) {
    // Counterclockwise, and the edge from each to the one after it.
    let points = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
    let edges = [(i, j, false), (i + 1, j, true), (i, j + 1, false), (i, j, true)];
    let regions = points.map(|(i, j)| grid.region_at(i, j));
    let differ = |k: usize| regions[k] != regions[(k + 1) % 4];
    let between: Vec<Point> = (0..4).filter(|k| differ(*k)).map(|k| grid.place(edges[k])).collect();
    let n = between.len() as f64;
    let sum = between.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    // Between two places the way is straight.
    let centre = (between.len() > 2).then(|| (sum.0 / n, sum.1 / n));
    for leave in (0..4).filter(|k| differ(*k)) {
        let Some(region) = regions[leave] else { continue };
        let enter = (1..4).map(|back| (leave + 4 - back) % 4).find(|k| differ(*k));
        if let Some(enter) = enter {
            next.insert((region, edges[leave]), (centre, edges[enter]));
        }
    }
}

impl Grid<'_> {
    fn index(&self, i: i64, j: i64) -> Option<usize> {
        let inside = (0..self.columns as i64).contains(&i) && (0..self.rows as i64).contains(&j);
        inside.then(|| j as usize * self.columns + i as usize)
    }

    fn region_at(&self, i: i64, j: i64) -> Option<u8> {
        self.region.get(self.index(i, j)?).copied()
    }

    /// Where on an edge the region changes: at the rim of the grid, on its outermost point.
    fn place(&self, (i, j, up): Edge) -> Point {
        let (to_i, to_j) = if up { (i, j + 1) } else { (i + 1, j) };
        let share = match (self.index(i, j), self.index(to_i, to_j)) {
            (Some(a), Some(b)) => (self.crossing)(a, b).clamp(0.0, 1.0),
            (Some(_), None) => 0.0,
            _ => 1.0,
        };
        let (x, y) = (i as f64, j as f64);
        if up { (x, y + share) } else { (x + share, y) }
    }
}

/// Without corners that are none.
fn without_straight(corners: Vec<Point>) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for c in corners {
        if let [.., a, b] = kept.as_slice()
            && ((b.0 - a.0) * (c.1 - b.1) - (b.1 - a.1) * (c.0 - b.0)).abs() < 1e-9
        {
            kept.pop();
        }
        kept.push(c);
    }
    kept
}

/// Positive where the corners run counterclockwise.
fn area(corners: &[Point]) -> f64 {
    let following = corners.iter().cycle().skip(1);
    corners.iter().zip(following).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(columns: usize, region: &[u8]) -> Vec<(u8, f64)> {
        let grid = Grid { columns, rows: region.len() / columns, region, crossing: &|_, _| 0.5 };
        outlines(&grid).into_iter().map(|(region, corners)| (region, area(&corners))).collect()
    }

    #[test]
    fn a_plane_of_one_region_is_its_rim() {
        assert_eq!(areas(3, &[7; 9]), [(7, 4.0)]);
    }

    #[test]
    fn an_island_is_drawn_over_what_surrounds_it() {
        let mut region = [0; 25];
        region[12] = 1;
        assert_eq!(areas(5, &region), [(0, 16.0), (1, 0.5)]);
    }

    #[test]
    fn regions_fill_the_plane_whatever_they_are() {
        let mut state = 1u64;
        for classes in [2, 3, 5] {
            for _ in 0..50 {
                let region: Vec<u8> = (0..48)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        ((state >> 33) % classes) as u8
                    })
                    .collect();
                let grid = Grid { columns: 8, rows: 6, region: &region, crossing: &|_, _| 0.5 };
                // What is drawn last at a place is the region of its sample.
                let drawn = outlines(&grid);
                for (index, expected) in region.iter().enumerate() {
                    // A little inside, off the rim and off every outline.
                    let inward = |i: usize, n: usize| {
                        i as f64
                            + if i == 0 {
                                0.01
                            } else if i + 1 == n {
                                -0.01
                            } else {
                                0.0
                            }
                    };
                    let (x, y) = (inward(index % 8, 8) + 0.001, inward(index / 8, 6) + 0.0007);
                    let (x, y) = (x.min(6.99), y.min(4.99));
                    let over = drawn.iter().rfind(|(_, corners)| contains(corners, (x, y)));
                    assert_eq!(over.map(|o| o.0), Some(*expected), "{index} of {region:?}");
                }
            }
        }
    }

    fn contains(corners: &[Point], (x, y): Point) -> bool {
        let following = corners.iter().cycle().skip(1);
        let crossed = corners
            .iter()
            .zip(following)
            .filter(|(a, b)| (a.1 > y) != (b.1 > y) && x < (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0);
        crossed.count() % 2 == 1
    }
}
