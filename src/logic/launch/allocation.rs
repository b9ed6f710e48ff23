//! What an allocation of several workers has in all, and which of its GPUs belong to which worker.

use std::ops::Range;

use crate::logic::pool::{Amount, ResourceRequest};

/// Whole units of what launchers count, for `workers` workers of one shape in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Processors: at least one.
    pub cpus: u64,
    /// GPUs: workers that have shares of one can be on the same.
    pub gpus: u64,
    /// Memory in bytes; zero if the shape doesn't say.
    pub memory: u64,
    /// The type of the GPUs, if the shape names it: `accelerator_type:a100`, as in Ray.
    pub gpu_type: Option<String>,
    /// Everything else that the shape names, in whole units.
    pub others: Vec<(String, u64)>,
    /// So many GPUs each worker has.
    per_worker: Amount,
}

/// A name in a shape that stands for a type of GPU.
const GPU_TYPE: &str = "accelerator_type:";

impl Allocation {
    /// For so many workers.
    pub fn new(shape: &ResourceRequest, workers: u32) -> Self {
        let workers = workers.max(1);
        let mut all = Self { cpus: 1, ..Self::default() };
        for (name, amount) in shape.total().iter() {
            let whole = whole(amount, workers);
            match name {
                "cpu" => all.cpus = whole.max(1),
                "gpu" => {
                    all.per_worker = amount;
                    all.gpus = gpus(amount, workers);
                }
                "memory" => all.memory = whole,
                other => match other.strip_prefix(GPU_TYPE) {
                    Some(of) => all.gpu_type = Some(of.to_owned()),
                    None => all.others.push((other.to_owned(), whole)),
                },
            }
        }
        all
    }

    /// Which of the allocation's GPUs the worker of this number has, from 0. Empty: none.
    pub fn gpus_of(&self, worker: u32) -> Range<u64> {
        let (worker, one) = (u64::from(worker), Amount::whole(1).parts());
        let each = self.per_worker.parts();
        if each >= one {
            let each = each.div_ceil(one);
            return worker * each..(worker + 1) * each;
        }
        match one.checked_div(each) {
            Some(share) => worker / share..worker / share + 1,
            None => 0..0,
        }
    }
}

fn whole(amount: Amount, workers: u32) -> u64 {
    amount.parts().saturating_mul(u64::from(workers)).div_ceil(Amount::whole(1).parts())
}

/// Shares of one GPU don't reach over to the next.
fn gpus(each: Amount, workers: u32) -> u64 {
    let one = Amount::whole(1).parts();
    match one.checked_div(each.parts()) {
        Some(on_one @ 1..) if each.parts() < one => u64::from(workers).div_ceil(on_one),
        _ => whole(each, workers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logic::pool::Resources;

    fn of(shape: Resources, workers: u32) -> Allocation {
        Allocation::new(&ResourceRequest::single(shape).expect("it asks for something"), workers)
    }

    #[test]
    fn shares_of_a_gpu_are_on_one() {
        let half = of(Resources::cpus(2).with("gpu", 0.5).with("memory", 1e9), 3);
        assert_eq!((half.cpus, half.gpus, half.memory), (6, 2, 3_000_000_000));
        assert_eq!([0, 1, 2].map(|worker| half.gpus_of(worker)), [0..1, 0..1, 1..2]);
        let less = of(Resources::new().with("gpu", 0.4), 5);
        assert_eq!((less.cpus, less.gpus, less.gpus_of(4)), (1, 3, 2..3));
        let two = of(Resources::new().with("gpu", 2.0).with("accelerator_type:a100", 0.001).with("licence", 1.0), 2);
        assert_eq!((two.gpus, two.gpus_of(1), two.gpu_type.as_deref()), (4, 2..4, Some("a100")));
        assert_eq!(two.others, [("licence".to_owned(), 2)]);
        assert_eq!(of(Resources::cpus(1), 1).gpus_of(0), 0..0);
    }
}
