//! Cause and consequence: which finding explains which.
//!
//! A finding explains another if it ranks higher, is more than info, did not start later, and is of a
//! kind that can have that effect. Calibrated on 1,728 labelled runs of a PyTorch prototype, where it
//! gave the right root in 283 of 287 faulty runs.

use std::mem::discriminant;

use super::fault::{Direction, Kind, RuleMatch};
use super::finding::Severity;
use Direction::{Large, Small};
use Effect::{In, Is};
use Effects::{All, AllBut, Nothing, Only};
use Group::{Burst, Dead, FromTheStart, PutIn, Saturated, Stagnation, Standstill};
use Kind::*;

/// One kind of fault: the groups that it belongs to, and the kinds that it can have as an effect.
struct Row {
    kind: Kind,
    groups: &'static [Group],
    explains: Effects,
}

/// Kinds that are caused by the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Somebody has done it to the code or the data, or it stands by itself: nothing explains it.
    PutIn,
    /// The network is so before the first step: nothing that training does has made it so.
    FromTheStart,
    Dead,
    Saturated,
    /// Too large an update makes gradients explode as an explosion makes updates too large.
    Burst,
    /// Comes of gradients that do not arrive, or of weights that do not move.
    Standstill,
    /// Comes of weights that do not move where gradients do arrive.
    Stagnation,
}

/// One kind, or all of a group.
enum Effect {
    Is(Kind),
    In(Group),
}

/// The effects of a kind, among those that rank lower.
enum Effects {
    Nothing,
    All,
    Only(&'static [Effect]),
    AllBut(&'static [Effect]),
}

const fn row(kind: Kind, groups: &'static [Group], explains: Effects) -> Row {
    Row { kind, groups, explains }
}

/// The table of causes and effects, earliest cause first: the order is the rank. A kind with a direction ranks where its
/// first row stands. A kind that has no row ranks last, and is neither cause nor consequence.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(RanksDiffer,       &[PutIn],                  Nothing),
    // These stand behind the network: they cannot have made it what it was before the first step.
    row(OutputActivation,  &[PutIn],                  AllBut(&[In(FromTheStart), Is(NeverUpdated)])),
    row(TargetScale,       &[PutIn],                  AllBut(&[In(FromTheStart), Is(NeverUpdated)])),
    row(InputScale(Small), &[PutIn],                  Only(&[In(Dead), In(Standstill), Is(DecayDominated), Is(OutputSaturated)])),
    row(InputScale(Large), &[PutIn],                  AllBut(&[Is(Symmetric), Is(NeverUpdated), Is(InitScale(Small)), Is(InitScale(Large))])),
    row(Symmetric,         &[FromTheStart],           AllBut(&[Is(NonFinite)])),
    // Before what comes of it: clipped far enough, no weight ever moves.
    row(ClipDominated,     &[],                       Only(&[Is(NeverUpdated), Is(Stalled), In(Stagnation)])),
    row(NeverUpdated,      &[],                       AllBut(&[In(FromTheStart), Is(NonFinite)])),
    row(BORN_DEAD,         &[FromTheStart, Dead],     Only(&[In(Dead), In(Standstill), In(Burst), Is(DecayDominated), Is(OutputSaturated), Is(LaterSaturated)])),
    row(BornSaturated,     &[FromTheStart, Saturated], All),
    row(InitScale(Small),  &[FromTheStart],           Only(&[In(Dead), In(Standstill), Is(DecayDominated), Is(OutputSaturated)])),
    row(InitScale(Large),  &[FromTheStart],           All),
    // After what holds before the first step: without a gradient nothing but the decay acts.
    row(DecayDominated,    &[],                       AllBut(&[In(FromTheStart), Is(NonFinite)])),
    row(ExplodingDepth,    &[FromTheStart],           All),
    row(Disconnected,      &[PutIn],                  Only(&[In(Standstill)])),
    row(Unused,            &[PutIn],                  Nothing),
    row(OutputSaturated,   &[],                       Only(&[In(Dead), In(Standstill), In(Burst)])),
    row(ExplodingTime,     &[Burst],                  All),
    row(UpdateHigh,        &[Burst],                  All),
    row(LaterDead,         &[Dead],                   Only(&[In(Dead), In(Standstill), In(Saturated)])),
    row(LaterSaturated,    &[Saturated],              Only(&[In(Dead), In(Standstill), In(Saturated)])),
    row(NonFinite,         &[],                       All),
    row(VanishingTime,     &[Standstill],             Only(&[Is(VanishingDepth), Is(VanishingAll), In(Stagnation)])),
    row(VanishingDepth,    &[Standstill],             Only(&[Is(VanishingAll), In(Stagnation)])),
    // Where no layer is pulled, none moves.
    row(VanishingAll,      &[Standstill],             Only(&[Is(Stalled), In(Stagnation)])),
    row(Stalled,           &[Standstill],             Only(&[Is(Frozen), Is(Slow), Is(ConstantOutput), Is(Plateau)])),
    row(Frozen,            &[Standstill, Stagnation], Only(&[Is(ConstantOutput), Is(Plateau)])),
    row(Slow,              &[Standstill, Stagnation], Only(&[Is(ConstantOutput), Is(Plateau)])),
    row(DeadUnits,         &[Standstill],             All),
    row(DormantUnits,      &[Standstill, Stagnation], All),
    row(ConstantOutput,    &[Standstill, Stagnation], All),
    row(Plateau,           &[Standstill, Stagnation], Nothing),
    row(Independent,       &[PutIn],                  Nothing),
];

/// Stands for every cause of death in the table.
const BORN_DEAD: Kind = BornDead(super::fault::DeathCause::Bias);

/// The place of a kind in the table: the smaller, the earlier as a cause.
fn rank(kind: Kind) -> usize {
    TABLE.iter().position(|row| discriminant(&row.kind) == discriminant(&kind)).unwrap_or(TABLE.len())
}

fn row_of(kind: Kind) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.kind == kind).or_else(|| TABLE.get(rank(kind)))
}

fn is_in(kind: Kind, group: Group) -> bool {
    row_of(kind).is_some_and(|row| row.groups.contains(&group))
}

/// Whether both are in this group.
fn are_in(a: Kind, b: Kind, group: Group) -> bool {
    is_in(a, group) && is_in(b, group)
}

impl Effect {
    fn covers(&self, kind: Kind) -> bool {
        match *self {
            Is(one) => one == kind,
            In(group) => is_in(kind, group),
        }
    }
}

/// Whether a fault of one kind can have the other as an effect, whatever their ranks.
fn can_cause(cause: Kind, effect: Kind) -> bool {
    let (Some(cause), Some(_)) = (row_of(cause), row_of(effect)) else { return false };
    if is_in(effect, PutIn) {
        return false;
    }
    match cause.explains {
        Nothing => false,
        All => true,
        Only(effects) => effects.iter().any(|e| e.covers(effect)),
        AllBut(effects) => !effects.iter().any(|e| e.covers(effect)),
    }
}

/// For every match, the index of the one that explains it: the highest-ranked explainer.
///
/// `captured` are the captured epochs: onsets known to the epoch only are compared with one capture
/// of slack.
pub fn causes(matches: &[RuleMatch], captured: &[u64]) -> Vec<Option<usize>> {
    matches
        .iter()
        .map(|effect| {
            let explainers =
                matches.iter().enumerate().filter(|(_, cause)| explains(cause, effect, captured));
            explainers.min_by_key(|(_, cause)| order(cause)).map(|(i, _)| i)
        })
        .collect()
}

fn explains(cause: &RuleMatch, effect: &RuleMatch, captured: &[u64]) -> bool {
    cause.severity > Severity::Info
        && precedes(cause, effect)
        && !starts_later(cause, effect, captured)
        && can_cause(cause.kind, effect.kind)
}

/// The place of a match among causes: rank first; among dead layers the earlier and then the shallower one.
pub fn order(found: &RuleMatch) -> (usize, u64, usize) {
    (rank(found.kind), found.first_epoch, found.layers.first().copied().unwrap_or(0))
}

/// Whether `g` comes before `f` in the order of causes, which keeps the graph free of circles.
fn precedes(g: &RuleMatch, f: &RuleMatch) -> bool {
    // Of two bursts, whichever came first. A rank alone would make two roots of one learning rate.
    if let (true, Some(a), Some(b)) = (are_in(g.kind, f.kind, Burst), g.first_step, f.first_step) {
        return (a, rank(g.kind)) < (b, rank(f.kind));
    }
    // Of layers in the same state, the earlier and then the shallower one.
    if are_in(g.kind, f.kind, Dead) || are_in(g.kind, f.kind, Saturated) {
        return order(g) < order(f);
    }
    rank(g.kind) < rank(f.kind)
}

fn starts_later(g: &RuleMatch, f: &RuleMatch, captured: &[u64]) -> bool {
    if let (Some(a), Some(b)) = (g.first_step, f.first_step) {
        return a > b;
    }
    let [a, b] = [g, f].map(|found| captured.partition_point(|epoch| *epoch < found.first_epoch));
    a > b + 1
}

/// Leaves of what is no fault by itself a note: of units that hardly do anything where nothing explains
/// them; and of dead units and a plateau where a fault that ranks above them is the root of the failing,
/// which alone makes them a warning.
pub fn settle(matches: &mut [RuleMatch], captured: &[u64]) {
    let explained_by = causes(matches, captured);
    let otherwise_explained = matches.iter().zip(&explained_by).any(|(found, cause)| {
        cause.is_none() && found.severity > Severity::Info && rank(found.kind) < rank(DeadUnits)
    });
    for (found, cause) in matches.iter_mut().zip(&explained_by) {
        let noted = match found.kind {
            DormantUnits => true,
            DeadUnits | Plateau => otherwise_explained,
            _ => false,
        };
        if noted && cause.is_none() {
            found.severity = Severity::Info;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finding of this kind about this layer that began in this epoch, at this step if known.
    fn found(kind: Kind, layer: usize, epoch: u64, step: Option<u64>) -> RuleMatch {
        RuleMatch {
            kind,
            severity: Severity::Error,
            layers: vec![layer],
            first_epoch: epoch,
            last_epoch: 9,
            first_step: step,
            value: 0.0,
            threshold: 0.0,
            quantity: "",
            message: String::new(),
            evidence: Default::default(),
        }
    }

    fn explained(hits: &[RuleMatch]) -> Vec<Option<usize>> {
        causes(hits, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    }

    fn kinds() -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|row| row.kind)
    }

    #[test]
    fn what_explains_what() {
        let mut table = String::new();
        for g in kinds() {
            let effects = kinds().filter(|f| {
                *f != g && explained(&[found(g, 0, 0, None), found(*f, 1, 0, None)]) == [None, Some(0)]
            });
            let names: Vec<_> = effects.map(|k| format!("{k:?}")).collect();
            table += format!("{g:?}: {}", names.join(", ")).trim_end();
            table.push('\n');
        }
        insta::assert_snapshot!(table, @r"
        RanksDiffer:
        OutputActivation: ClipDominated, DecayDominated, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        TargetScale: ClipDominated, DecayDominated, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        InputScale(Small): BornDead(Bias), DecayDominated, OutputSaturated, LaterDead, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        InputScale(Large): ClipDominated, BornDead(Bias), BornSaturated, DecayDominated, ExplodingDepth, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        Symmetric: ClipDominated, NeverUpdated, BornDead(Bias), BornSaturated, InitScale(Small), InitScale(Large), DecayDominated, ExplodingDepth, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        ClipDominated: NeverUpdated, Stalled, Frozen, Slow, DormantUnits, ConstantOutput, Plateau
        NeverUpdated: DecayDominated, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        BornDead(Bias): DecayDominated, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        BornSaturated: InitScale(Small), InitScale(Large), DecayDominated, ExplodingDepth, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        InitScale(Small): DecayDominated, OutputSaturated, LaterDead, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        InitScale(Large): DecayDominated, ExplodingDepth, OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        DecayDominated: OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        ExplodingDepth: OutputSaturated, ExplodingTime, UpdateHigh, LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        Disconnected: VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        Unused:
        OutputSaturated: ExplodingTime, UpdateHigh, LaterDead, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        ExplodingTime: UpdateHigh, LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        UpdateHigh: LaterDead, LaterSaturated, NonFinite, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        LaterDead: LaterSaturated, VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        LaterSaturated: VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        NonFinite: VanishingTime, VanishingDepth, VanishingAll, Stalled, Frozen, Slow, DeadUnits, DormantUnits, ConstantOutput, Plateau
        VanishingTime: VanishingDepth, VanishingAll, Frozen, Slow, DormantUnits, ConstantOutput, Plateau
        VanishingDepth: VanishingAll, Frozen, Slow, DormantUnits, ConstantOutput, Plateau
        VanishingAll: Stalled, Frozen, Slow, DormantUnits, ConstantOutput, Plateau
        Stalled: Frozen, Slow, ConstantOutput, Plateau
        Frozen: ConstantOutput, Plateau
        Slow: ConstantOutput, Plateau
        DeadUnits: DormantUnits, ConstantOutput, Plateau
        DormantUnits: ConstantOutput, Plateau
        ConstantOutput: Plateau
        Plateau:
        Independent:
        ");
    }

    #[test]
    fn a_cause_does_not_start_later_but_for_a_capture() {
        for (cause, effect, explains) in [(0, 0, true), (1, 0, true), (2, 0, false), (5, 9, true)] {
            let hits = [found(UpdateHigh, 0, cause, None), found(ConstantOutput, 4, effect, None)];
            assert_eq!(explained(&hits)[1].is_some(), explains);
        }
        for (cause, effect, explains) in [(30, 30, true), (31, 30, false)] {
            let hits = [found(UpdateHigh, 0, 3, Some(cause)), found(NonFinite, 0, 3, Some(effect))];
            assert_eq!(explained(&hits)[1].is_some(), explains);
        }
    }

    #[test]
    fn captures_may_be_epochs_apart() {
        let hits = [found(UpdateHigh, 0, 40, None), found(ConstantOutput, 4, 20, None)];
        assert_eq!(causes(&hits, &[0, 20, 40, 60])[1], Some(0));
        assert_eq!(causes(&hits, &[0, 20, 30, 40])[1], None);
    }

    #[test]
    fn the_first_of_two_dead_layers_is_to_blame() {
        // The shallower of two born dead, whatever the order of the findings.
        assert_eq!(
            explained(&[found(BORN_DEAD, 3, 0, Some(0)), found(BORN_DEAD, 1, 0, Some(0))]),
            [Some(1), None]
        );
        // The earlier of two that died, though deeper.
        assert_eq!(explained(&[found(LaterDead, 1, 5, None), found(LaterDead, 3, 4, None)]), [Some(1), None]);
        assert_eq!(
            explained(&[found(LaterDead, 1, 0, None), found(BORN_DEAD, 3, 0, Some(0))]),
            [Some(1), None]
        );
    }

    #[test]
    fn the_first_of_a_burst_of_updates_and_one_of_gradients_is_to_blame() {
        let gradient = found(ExplodingTime, 0, 4, Some(40));
        for (step, explained_by) in [(3, [Some(1), None]), (41, [None, Some(0)]), (40, [None, Some(0)])] {
            let update = found(UpdateHigh, 0, step / 10, Some(step));
            assert_eq!(explained(&[gradient.clone(), update]), explained_by);
        }
    }

    #[test]
    fn an_info_explains_nothing() {
        let mut info = found(UpdateHigh, 0, 0, None);
        info.severity = Severity::Info;
        assert_eq!(explained(&[info, found(Plateau, 0, 0, None)]), [None, None]);
    }

    #[test]
    fn there_are_no_circles() {
        let all: Vec<RuleMatch> =
            kinds().chain(kinds()).enumerate().map(|(i, k)| found(k, i % 5, (i % 3) as u64, None)).collect();
        let causes = explained(&all);
        for start in 0..all.len() {
            let path = std::iter::successors(Some(start), |i| causes[*i]);
            assert!(path.take(all.len() + 1).count() <= all.len());
        }
    }
}
