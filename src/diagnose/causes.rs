//! Cause and consequence: which finding explains which.
//!
//! A finding explains another if it ranks higher, is more than info, did not start later, and is of a
//! kind that can have that effect. Calibrated on 1,728 labelled runs of a PyTorch prototype, where it
//! gave the right root in 283 of 287 faulty runs.

use super::Severity;
use super::rule::RuleMatch;

/// What kind of fault a finding shows, earliest cause first: the order is the rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Ranks of a distributed run that train models of their own.
    RanksDiffer,
    OutputActivation,
    TargetScale,
    InputScale(Direction),
    Symmetric,
    /// Before what comes of it: clipped far enough, no weight ever moves.
    ClipDominated,
    /// Gradients arrive and no weight ever moved.
    NeverUpdated,
    BornDead(DeathCause),
    BornSaturated,
    InitScale(Direction),
    /// After what holds before the first step: without a gradient nothing but the decay acts.
    DecayDominated,
    ExplodingDepth,
    /// A layer that is cut off from a gradient, or from the optimizer, while its neighbours are not.
    Disconnected,
    /// Gains and the like that nothing uses, which harms nothing else.
    Unused,
    OutputSaturated,
    ExplodingTime,
    UpdateHigh,
    LaterDead,
    LaterSaturated,
    NonFinite,
    VanishingTime,
    VanishingDepth,
    VanishingAll,
    Stalled,
    Frozen,
    Slow,
    DeadUnits,
    DormantUnits,
    ConstantOutput,
    Plateau,
    /// Worth knowing, and neither cause nor consequence.
    Note,
}

/// In which direction inputs or initial weights are off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Small,
    Large,
}

/// Why a layer is silent from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeathCause {
    /// The bias holds every unit below zero; without it some would fire.
    Bias,
    /// Nothing but zeros comes in.
    Input,
    /// The weighted inputs are negative by themselves.
    Weights,
}

impl Kind {
    fn is_dead(self) -> bool {
        matches!(self, Kind::BornDead(_) | Kind::LaterDead)
    }

    /// What comes of gradients that do not arrive, or weights that do not move.
    fn is_standstill(self) -> bool {
        use Kind::{Stalled, VanishingAll, VanishingDepth, VanishingTime};
        matches!(self, VanishingTime | VanishingDepth | VanishingAll | Stalled) || self.is_stagnation()
    }

    /// What comes of it where gradients do arrive.
    fn is_stagnation(self) -> bool {
        use Kind::{ConstantOutput, DeadUnits, DormantUnits, Frozen, Plateau, Slow};
        matches!(self, Frozen | Slow | DeadUnits | DormantUnits | ConstantOutput | Plateau)
    }

    /// What somebody has done to the code or the data: nothing else in the run has made it so.
    fn is_put_in(self) -> bool {
        use Kind::{Disconnected, InputScale, OutputActivation, RanksDiffer, TargetScale, Unused};
        matches!(self, RanksDiffer | OutputActivation | TargetScale | InputScale(_) | Disconnected | Unused)
    }

    /// What a network is before the first step: nothing that training does has made it so.
    fn is_from_the_start(self) -> bool {
        use Kind::{BornDead, BornSaturated, ExplodingDepth, InitScale, Symmetric};
        matches!(self, Symmetric | BornDead(_) | BornSaturated | InitScale(_) | ExplodingDepth)
    }

    /// Whether a fault of this kind can have that effect; who ranks higher is asked elsewhere.
    fn can_cause(self, effect: Kind) -> bool {
        use Kind::*;
        match self {
            Note | RanksDiffer | Unused => false,
            _ if effect == Note || effect.is_put_in() => false,
            // What stands behind the network cannot have made it what it was before the first step.
            OutputActivation | TargetScale => !effect.is_from_the_start() && effect != NeverUpdated,
            InputScale(Direction::Small) => {
                effect.is_dead()
                    || effect.is_standstill()
                    || matches!(effect, DecayDominated | OutputSaturated)
            }
            InputScale(Direction::Large) => !matches!(effect, Symmetric | NeverUpdated | InitScale(_)),
            Symmetric => effect != NonFinite,
            NeverUpdated => !effect.is_from_the_start() && effect != NonFinite,
            ClipDominated => {
                matches!(effect, NeverUpdated | Stalled) || effect.is_stagnation() && effect != DeadUnits
            }
            DecayDominated => !effect.is_from_the_start() && effect != NonFinite,
            BornDead(_) => {
                effect.is_dead()
                    || effect.is_standstill()
                    || effect.is_burst()
                    || matches!(effect, DecayDominated | OutputSaturated | LaterSaturated)
            }
            InitScale(Direction::Small) => {
                effect.is_dead()
                    || effect.is_standstill()
                    || matches!(effect, DecayDominated | OutputSaturated)
            }
            BornSaturated | InitScale(Direction::Large) => true,
            Disconnected => effect.is_standstill(),
            OutputSaturated => effect.is_dead() || effect.is_standstill() || effect.is_burst(),
            LaterDead | LaterSaturated => effect.is_dead() || effect.is_standstill() || effect.is_saturated(),
            ExplodingDepth | ExplodingTime | UpdateHigh | NonFinite => true,
            VanishingTime => {
                matches!(effect, VanishingDepth | VanishingAll)
                    || effect.is_stagnation() && effect != DeadUnits
            }
            VanishingDepth => effect == VanishingAll || effect.is_stagnation() && effect != DeadUnits,
            // Where no layer is pulled, none moves.
            VanishingAll => effect == Stalled || effect.is_stagnation() && effect != DeadUnits,
            Stalled | Slow => matches!(effect, Frozen | Slow | ConstantOutput | Plateau),
            Frozen => matches!(effect, ConstantOutput | Plateau),
            DeadUnits | DormantUnits | ConstantOutput => true,
            Plateau => false,
        }
    }

    fn is_saturated(self) -> bool {
        matches!(self, Kind::BornSaturated | Kind::LaterSaturated)
    }

    fn is_burst(self) -> bool {
        matches!(self, Kind::ExplodingTime | Kind::UpdateHigh)
    }

    /// The kind without what distinguishes its findings: the rank.
    fn rank(self) -> Kind {
        match self {
            Kind::BornDead(_) => Kind::BornDead(DeathCause::Bias),
            Kind::InitScale(_) => Kind::InitScale(Direction::Small),
            Kind::InputScale(_) => Kind::InputScale(Direction::Small),
            kind => kind,
        }
    }
}

/// For every hit, the index of the one that explains it: the highest-ranked explainer.
///
/// `captured` are the captured epochs: onsets known to the epoch only are compared with one capture
/// of slack.
pub fn causes(hits: &[RuleMatch], captured: &[u64]) -> Vec<Option<usize>> {
    let explains = |g: &RuleMatch, f: &RuleMatch| {
        g.severity > Severity::Info
            && precedes(g, f)
            && !starts_later(g, f, captured)
            && g.kind.can_cause(f.kind)
    };
    hits.iter()
        .map(|f| {
            let explainers = hits.iter().enumerate().filter(|(_, g)| explains(g, f));
            explainers.min_by_key(|(_, g)| order(g)).map(|(i, _)| i)
        })
        .collect()
}

/// Rank first; among dead layers the earlier and then the shallower one.
pub fn order(hit: &RuleMatch) -> (Kind, u64, usize) {
    (hit.kind.rank(), hit.first_epoch, hit.layers.first().copied().unwrap_or(0))
}

/// Whether `g` comes before `f` in the order of causes: what keeps the graph free of circles.
fn precedes(g: &RuleMatch, f: &RuleMatch) -> bool {
    // Too large an update makes gradients explode as an explosion makes updates too large: whichever
    // came first. A rank alone would make two roots of one learning rate.
    let bursts = g.kind.is_burst() && f.kind.is_burst();
    if let (true, Some(a), Some(b)) = (bursts, g.first_step, f.first_step) {
        return (a, g.kind) < (b, f.kind);
    }
    // Of layers in the same state, the earlier and then the shallower one.
    if g.kind.is_dead() && f.kind.is_dead() || g.kind.is_saturated() && f.kind.is_saturated() {
        return order(g) < order(f);
    }
    g.kind.rank() < f.kind.rank()
}

fn starts_later(g: &RuleMatch, f: &RuleMatch, captured: &[u64]) -> bool {
    if let (Some(a), Some(b)) = (g.first_step, f.first_step) {
        return a > b;
    }
    let place = |epoch: u64| captured.partition_point(|e| *e < epoch);
    place(g.first_epoch) > place(f.first_epoch) + 1
}

#[cfg(test)]
mod tests {
    use super::Kind::*;
    use super::*;

    /// A finding of this kind about this layer that began in this epoch, at this step if known.
    fn hit(kind: Kind, layer: usize, epoch: u64, step: Option<u64>) -> RuleMatch {
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

    const BORN: Kind = BornDead(DeathCause::Bias);
    const ALL: [Kind; 33] = [
        RanksDiffer,
        OutputActivation,
        TargetScale,
        InputScale(Direction::Small),
        InputScale(Direction::Large),
        Symmetric,
        ClipDominated,
        NeverUpdated,
        BORN,
        BornSaturated,
        InitScale(Direction::Small),
        InitScale(Direction::Large),
        DecayDominated,
        ExplodingDepth,
        Disconnected,
        Unused,
        OutputSaturated,
        ExplodingTime,
        UpdateHigh,
        LaterDead,
        LaterSaturated,
        NonFinite,
        VanishingTime,
        VanishingDepth,
        VanishingAll,
        Stalled,
        Frozen,
        Slow,
        DeadUnits,
        DormantUnits,
        ConstantOutput,
        Plateau,
        Note,
    ];

    #[test]
    fn what_explains_what() {
        let mut table = String::new();
        for g in ALL {
            let effects = ALL.into_iter().filter(|f| {
                *f != g && explained(&[hit(g, 0, 0, None), hit(*f, 1, 0, None)]) == [None, Some(0)]
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
        Note:
        ");
    }

    #[test]
    fn a_cause_does_not_start_later_but_for_a_capture() {
        for (cause, effect, explains) in [(0, 0, true), (1, 0, true), (2, 0, false), (5, 9, true)] {
            let hits = [hit(UpdateHigh, 0, cause, None), hit(ConstantOutput, 4, effect, None)];
            assert_eq!(explained(&hits)[1].is_some(), explains);
        }
        for (cause, effect, explains) in [(30, 30, true), (31, 30, false)] {
            let hits = [hit(UpdateHigh, 0, 3, Some(cause)), hit(NonFinite, 0, 3, Some(effect))];
            assert_eq!(explained(&hits)[1].is_some(), explains);
        }
    }

    #[test]
    fn captures_may_be_epochs_apart() {
        let hits = [hit(UpdateHigh, 0, 40, None), hit(ConstantOutput, 4, 20, None)];
        assert_eq!(causes(&hits, &[0, 20, 40, 60])[1], Some(0));
        assert_eq!(causes(&hits, &[0, 20, 30, 40])[1], None);
    }

    #[test]
    fn the_first_of_two_dead_layers_is_to_blame() {
        // The shallower of two born dead, whatever the order of the findings.
        assert_eq!(explained(&[hit(BORN, 3, 0, Some(0)), hit(BORN, 1, 0, Some(0))]), [Some(1), None]);
        // The earlier of two that died, though deeper.
        assert_eq!(explained(&[hit(LaterDead, 1, 5, None), hit(LaterDead, 3, 4, None)]), [Some(1), None]);
        assert_eq!(explained(&[hit(LaterDead, 1, 0, None), hit(BORN, 3, 0, Some(0))]), [Some(1), None]);
    }

    #[test]
    fn of_a_burst_of_updates_and_one_of_gradients_the_first_is_to_blame() {
        let update = |step| hit(UpdateHigh, 0, step / 10, Some(step));
        let gradient = |step| hit(ExplodingTime, 0, step / 10, Some(step));
        assert_eq!(explained(&[gradient(40), update(3)]), [Some(1), None]);
        assert_eq!(explained(&[gradient(40), update(41)]), [None, Some(0)]);
        assert_eq!(explained(&[gradient(40), update(40)]), [None, Some(0)]);
    }

    #[test]
    fn an_info_explains_nothing() {
        let mut info = hit(UpdateHigh, 0, 0, None);
        info.severity = Severity::Info;
        assert_eq!(explained(&[info, hit(Plateau, 0, 0, None)]), [None, None]);
    }

    #[test]
    fn there_are_no_circles() {
        let all: Vec<RuleMatch> = ALL
            .into_iter()
            .chain(ALL)
            .enumerate()
            .map(|(i, k)| hit(k, i % 5, (i % 3) as u64, None))
            .collect();
        let causes = explained(&all);
        for start in 0..all.len() {
            let path = std::iter::successors(Some(start), |i| causes[*i]);
            assert!(path.take(all.len() + 1).count() <= all.len());
        }
    }
}
