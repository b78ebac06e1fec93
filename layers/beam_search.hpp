#pragma once

#include <rewind/layers/decoding.hpp>
#include <rewind/layers/state_rows.hpp>

namespace rw {

struct BeamOptions {
  /// The token that ends a sequence; if empty, every sequence has max_steps tokens.
  std::optional<std::int64_t> end = {};
  std::int64_t max_steps = 100;
  /// How many prefixes are kept at each step.
  std::int64_t beams = 4;
  /// The maximum number of results for each sequence of the batch; there are fewer if fewer were
  /// found.
  std::int64_t results = 1;
  /// alpha of Wu et al. (2016): 0 compares log-probabilities directly, larger values favour longer
  /// sequences.
  double length_penalty = 0.0;
};

/// A sequence found by a search, with the score used for comparison.
struct BeamDecoded : Decoded {
  double score = 0;
};

/// The score of a sequence of `length` tokens, the end token included, is its log-probability
/// divided by this (Wu et al. 2016): ((5 + length) / 6)^alpha.
double length_penalty(std::int64_t length, double alpha);

namespace detail {

/// The beams of all sequences of a batch. There are B rows at first, then B times `beams`; the rows
/// of a sequence are adjacent.
class BeamSearch {
 public:
  BeamSearch(const Tensor& first, const BeamOptions& options);

  bool done() const;
  const Tensor& tokens() const { return tokens_; }
  /// Reads the logits of all rows. Afterwards tokens() are the tokens to read next, and parents()
  /// the rows that they continue.
  void advance(const Tensor& logits);
  const Tensor& parents() const { return parents_; }
  std::vector<std::vector<BeamDecoded>> results() const;

 private:
  static constexpr std::int64_t none = -1;

  /// A token and the one before it.
  struct Link {
    std::int64_t token;
    std::int64_t before;
  };
  struct Beam {
    std::int64_t row;   // in the last step's logits
    std::int64_t link;  // its last token in links_
    double log_probability;
  };
  struct Candidate {
    double log_probability;
    std::size_t beam;
    std::int64_t token;
  };
  struct Found {
    std::int64_t link;
    double log_probability;
    double score;
    bool ended;
  };
  struct Sequence {
    std::vector<Beam> beams;   // best first
    std::vector<Found> found;  // best first
  };

  void extend(Sequence& sequence, const Tensor& logits);
  void add(Sequence& sequence, const Found& found) const;
  bool may_improve(const Sequence& sequence) const;
  double score(double log_probability) const;

  BeamOptions options_;
  std::int64_t step_ = 0;
  Tensor tokens_;
  Tensor parents_;
  std::vector<Sequence> sequences_;
  std::vector<Link> links_;
  std::vector<Candidate> candidates_;
  std::vector<double> log_probabilities_;
};

}  // namespace detail

/// The sequences of highest score, best first, for each of the batch, by beam search: each step
/// keeps the `beams` most probable continuations of the prefixes kept so far; those that end are
/// collected as results. score = log-probability / length_penalty.
///
/// The search goes on until no prefix can reach a better score than the results found. So with as
/// many beams as there are prefixes the results are the best of all sequences, including those cut
/// off at max_steps. One beam gives the same as greedy_decode. Equal scores are ordered by the
/// better prefix, then by the smaller token.
///
/// From the second step on, `step` is called with B `beams` rows; the rows of one sequence are
/// adjacent. `first`, errors and ended sequences are as in greedy_decode; UsageError unless 1 <=
/// results <= beams and length_penalty >= 0.
template <class State, DecodingStep<State> Step>
std::vector<std::vector<BeamDecoded>> beam_search(Step&& step, State state, const Tensor& first,
                                                  const BeamOptions& options = {}) {
  const StopRecording stop;
  detail::BeamSearch search(first, options);
  while (!search.done()) {
    std::pair<Tensor, State> next = step(search.tokens(), std::as_const(state));
    search.advance(next.first);
    state = select_rows(std::move(next.second), search.parents());
  }
  return search.results();
}

}  // namespace rw
