//! That the network learns what it should, and that freezing it changes nothing.

use super::*;
use crate::data::digits;

const DESCENT: Descent = Descent { lr: 0.05, momentum: 0.9, weight_decay: 1e-4, batch_size: 32 };

fn train(network: &mut Network, epochs: u32) -> Vec<f64> {
    (0..epochs).map(|_| network.train_epoch(&digits().train, &DESCENT)).collect()
}

#[test]
fn a_thawed_network_goes_on_as_if_nothing_had_happened() {
    let mut whole = Network::new(24, 7);
    let whole_losses = train(&mut whole, 6);

    let mut first = Network::new(24, 7);
    let mut losses = train(&mut first, 3);
    let mut second = Network::from_bytes(24, &first.to_bytes()).expect("its own bytes");
    losses.extend(train(&mut second, 3));

    assert_eq!(losses, whole_losses);
    assert_eq!(second.to_bytes(), whole.to_bytes());
    assert_eq!(second.evaluate(&digits().held_out), whole.evaluate(&digits().held_out));
}

#[test]
fn bytes_of_another_size_are_refused() {
    let bytes = Network::new(8, 0).to_bytes();
    let error = Network::from_bytes(9, &bytes).expect_err("too few bytes");
    assert_eq!(error.to_string(), "a network with 9 hidden units takes 5496 bytes, found 4896");
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let network = Network::new(6, 3);
    let sample = &digits().train[0];
    let (mut units, mut scratch) = (vec![0.0; 6], vec![0.0; 6]);
    let mut loss_at = |vector: &[f32]| {
        let scores = forward(&parts(vector, 6), &sample.image, &mut units);
        (cross_entropy(scores, sample.digit), units.clone())
    };
    let ((error, _), units) = loss_at(&network.weights);
    let mut gradient = vec![0.0; network.weights.len()];
    let weights = parts(&network.weights, 6);
    backward(&weights, sample, &units, &error, &mut scratch, parts_mut(&mut gradient, 6));
    for index in 0..network.weights.len() {
        let mut around = [network.weights.clone(), network.weights.clone()];
        around[0][index] -= 1e-2;
        around[1][index] += 1e-2;
        let [before, after] = around.map(|vector| loss_at(&vector).0.1);
        let slope = (after - before) / 2e-2;
        assert!((slope - gradient[index]).abs() < 1e-2, "{index}: {slope} but {}", gradient[index]);
    }
}
