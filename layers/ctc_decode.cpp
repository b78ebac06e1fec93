#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include <rewind/autograd/losses/own_steps.hpp>
#include <rewind/layers/ctc_decode.hpp>
#include <rewind/layers/detail/log_probabilities.hpp>

namespace rw {
namespace {

using Size = std::int64_t;

constexpr double impossible = -std::numeric_limits<double>::infinity();

detail::OwnSteps checked_arguments(const char* who, const Tensor& logits, const Lengths& lengths,
                                   Size blank) {
  check<UsageError>(is_floating(logits.dtype()),
                    "{}: logits are int64, expected float32 or float64", who);
  check_shape(logits.rank() == 3, "{}: logits are {}, expected [T, B, classes], time first", who,
              logits.shape());
  check_shape(0 <= blank && blank < logits.columns(),
              "{}: blank {} is outside [0, {}), the classes of logits {}", who, blank,
              logits.columns(), logits.shape());
  return {who, "lengths", lengths, logits.size(1), logits.size(0)};
}

/// log softmax of step t of sequence b.
void read_step(const char* who, const Tensor& logits, Size t, Size b,
               std::vector<double>& log_probabilities) {
  check<NonFiniteError>(
      detail::read_log_probabilities(logits, t * logits.size(1) + b, log_probabilities),
      "{}: step {} of sequence {} holds a NaN or has no finite largest logit", who, t, b);
}

double log_add(double a, double b) {
  const double largest = std::max(a, b);
  return largest == impossible ? impossible
                               : largest + std::log1p(std::exp(std::min(a, b) - largest));
}

/// Log-probabilities of the paths of a prefix that end in a blank, and of those that do not.
struct Ends {
  double blank = impossible;
  double label = impossible;
  double both() const { return log_add(blank, label); }
};

/// The prefixes of one sequence as a tree: each stores its last label and the prefix before it.
class PrefixTree {
 public:
  explicit PrefixTree(Size blank) : blank_(blank), prefixes_{{blank, none}}, kept_{0} {
    prefixes_[0].now.blank = 0;
  }

  /// Reads one more step and keeps the `beams` best prefixes.
  void advance(const std::vector<double>& log_probabilities, std::size_t beams) {
    candidates_.clear();
    for (const std::size_t at : kept_) {
      candidates_.push_back({at, prefixes_[at].label});
    }
    for (const std::size_t at : kept_) {
      for (std::size_t c = 0; c < log_probabilities.size(); ++c) {
        extend(at, static_cast<Size>(c), log_probabilities[c]);
      }
    }
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      candidates_[i].ends = std::exchange(prefixes_[kept_[i]].next, {});
    }
    keep_best(beams);
  }

  /// The `count` best prefixes, best first.
  std::vector<CtcDecoded> best(std::size_t count) const {
    std::vector<CtcDecoded> results;
    for (std::size_t i = 0; i < std::min(count, kept_.size()); ++i) {
      CtcDecoded& result = results.emplace_back();
      // Rounding may leave the sum of all paths just above 1.
      result.log_probability = std::min(0.0, prefixes_[kept_[i]].now.both());
      for (std::size_t at = kept_[i]; at != 0; at = prefixes_[at].parent) {
        result.labels.push_back(prefixes_[at].label);
      }
      std::reverse(result.labels.begin(), result.labels.end());
    }
    return results;
  }

 private:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  struct Prefix {
    Size label;
    std::size_t parent;
    std::size_t first_child = none;
    std::size_t next_sibling = none;
    bool kept = true;
    Ends now{};
    Ends next{};
  };
  /// A candidate after this step: a kept prefix, or its continuation by `label`.
  struct Candidate {
    std::size_t at;
    Size label;
    bool continues = false;
    Ends ends{};
    double score = impossible;
  };

  /// Accumulates the probability of `label` (or a blank) after the kept prefix `at`.
  void extend(std::size_t at, Size label, double p) {
    Prefix& prefix = prefixes_[at];
    if (label == blank_) {
      prefix.next.blank = log_add(prefix.next.blank, prefix.now.both() + p);
      return;
    }
    // A repeated class is the same label, unless there is a blank in between.
    const bool repeats = at != 0 && label == prefix.label;
    if (repeats) {
      prefix.next.label = log_add(prefix.next.label, prefix.now.label + p);
    }
    const double added = (repeats ? prefix.now.blank : prefix.now.both()) + p;
    const std::size_t child = child_of(at, label);
    if (child != none && prefixes_[child].kept) {
      prefixes_[child].next.label = log_add(prefixes_[child].next.label, added);
    } else {
      candidates_.push_back({at, label, true, {impossible, added}});
    }
  }

  std::size_t child_of(std::size_t at, Size label) const {
    std::size_t i = prefixes_[at].first_child;
    while (i != none && prefixes_[i].label != label) {
      i = prefixes_[i].next_sibling;
    }
    return i;
  }

  void keep_best(std::size_t beams) {
    for (Candidate& candidate : candidates_) {
      candidate.score = candidate.ends.both();
    }
    std::erase_if(candidates_, [](const Candidate& c) { return c.score == impossible; });
    // Ties are broken by prefix and label, so that results are reproducible.
    const auto better = [](const Candidate& a, const Candidate& b) {
      return std::tuple(-a.score, a.at, a.continues, a.label) <
             std::tuple(-b.score, b.at, b.continues, b.label);
    };
    const std::size_t count = std::min(beams, candidates_.size());
    std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(count),
                      candidates_.end(), better);
    candidates_.resize(count);
    for (const std::size_t at : kept_) {
      prefixes_[at].kept = false;
    }
    kept_.clear();
    for (const Candidate& candidate : candidates_) {
      const std::size_t at =
          candidate.continues ? continuation(candidate.at, candidate.label) : candidate.at;
      prefixes_[at].now = candidate.ends;
      prefixes_[at].kept = true;
      kept_.push_back(at);
    }
  }

  std::size_t continuation(std::size_t at, Size label) {
    if (const std::size_t child = child_of(at, label); child != none) {
      return child;
    }
    Prefix& added = prefixes_.emplace_back(Prefix{label, at});
    const std::size_t index = prefixes_.size() - 1;
    added.next_sibling = std::exchange(prefixes_[at].first_child, index);
    return index;
  }

  Size blank_;
  std::vector<Prefix> prefixes_;   // the first is the empty one
  std::vector<std::size_t> kept_;  // best first
  std::vector<Candidate> candidates_;
};

}  // namespace

std::vector<CtcDecoded> ctc_greedy_decode(const Tensor& logits, const Lengths& lengths,
                                          Size blank) {
  constexpr const char* who = "ctc_greedy_decode";
  const detail::OwnSteps steps = checked_arguments(who, logits, lengths, blank);
  std::vector<CtcDecoded> results(static_cast<std::size_t>(logits.size(1)));
  std::vector<double> log_probabilities;
  for (Size b = 0; b < logits.size(1); ++b) {
    CtcDecoded& result = results[static_cast<std::size_t>(b)];
    Size before = blank;
    for (Size t = steps.begin(b); t < steps.end(b); ++t) {
      read_step(who, logits, t, b, log_probabilities);
      const auto best = std::max_element(log_probabilities.begin(), log_probabilities.end());
      const Size label = best - log_probabilities.begin();
      result.log_probability += *best;
      if (label != blank && label != before) {
        result.labels.push_back(label);
      }
      before = label;
    }
  }
  return results;
}

std::vector<std::vector<CtcDecoded>> ctc_beam_search(const Tensor& logits, const Lengths& lengths,
                                                     const CtcBeamOptions& options) {
  constexpr const char* who = "ctc_beam_search";
  check<UsageError>(1 <= options.results && options.results <= options.beams,
                    "{}: results is {} and beams {}, expected 1 <= results <= beams", who,
                    options.results, options.beams);
  const detail::OwnSteps steps = checked_arguments(who, logits, lengths, options.blank);
  std::vector<std::vector<CtcDecoded>> results;
  std::vector<double> log_probabilities;
  for (Size b = 0; b < logits.size(1); ++b) {
    PrefixTree tree(options.blank);
    for (Size t = steps.begin(b); t < steps.end(b); ++t) {
      read_step(who, logits, t, b, log_probabilities);
      tree.advance(log_probabilities, static_cast<std::size_t>(options.beams));
    }
    results.push_back(tree.best(static_cast<std::size_t>(options.results)));
  }
  return results;
}

}  // namespace rw
