#include <algorithm>
#include <cmath>
#include <tuple>

#include <rewind/layers/beam_search.hpp>

namespace rw {

double length_penalty(std::int64_t length, double alpha) {
  return std::pow((5.0 + static_cast<double>(length)) / 6.0, alpha);
}

namespace detail {

namespace {
constexpr const char* who = "beam_search";
}

BeamSearch::BeamSearch(const Tensor& first, const BeamOptions& options) : options_(options) {
  check_start(who, first, options.max_steps);
  check<UsageError>(1 <= options.results && options.results <= options.beams,
                    "{}: results is {} and beams {}, expected 1 <= results <= beams", who,
                    options.results, options.beams);
  check<UsageError>(options.length_penalty >= 0 && std::isfinite(options.length_penalty),
                    "{}: length_penalty is {}, expected at least 0", who, options.length_penalty);
  tokens_ = first.clone();
  for (std::int64_t b = 0; b < first.size(0); ++b) {
    sequences_.push_back({{{b, none, 0.0}}, {}});
  }
}

bool BeamSearch::done() const {
  return step_ == options_.max_steps ||
         std::none_of(sequences_.begin(), sequences_.end(),
                      [&](const Sequence& sequence) { return may_improve(sequence); });
}

double BeamSearch::score(double log_probability) const {
  return log_probability / length_penalty(step_, options_.length_penalty);
}

/// Log-probabilities only decrease, so the best score that a prefix can still reach is its own at
/// the largest length.
bool BeamSearch::may_improve(const Sequence& sequence) const {
  if (sequence.beams.empty()) {
    return false;
  }
  const auto wanted = static_cast<std::size_t>(options_.results);
  return sequence.found.size() < wanted ||
         sequence.beams.front().log_probability /
                 length_penalty(options_.max_steps, options_.length_penalty) >
             sequence.found[wanted - 1].score;
}

void BeamSearch::add(Sequence& sequence, const Found& found) const {
  const auto place = std::find_if(sequence.found.begin(), sequence.found.end(),
                                  [&](const Found& other) { return other.score < found.score; });
  sequence.found.insert(place, found);
  if (sequence.found.size() > static_cast<std::size_t>(options_.results)) {
    sequence.found.pop_back();
  }
}

void BeamSearch::extend(Sequence& sequence, const Tensor& logits) {
  candidates_.clear();
  for (std::size_t i = 0; i < sequence.beams.size(); ++i) {
    read_row(who, logits, sequence.beams[i].row, step_, log_probabilities_);
    for (std::size_t token = 0; token < log_probabilities_.size(); ++token) {
      // Tokens that the model forbids (logit -infinity) are not candidates.
      if (const double p = log_probabilities_[token]; std::isfinite(p)) {
        candidates_.push_back(
            {sequence.beams[i].log_probability + p, i, static_cast<std::int64_t>(token)});
      }
    }
  }
  const std::size_t count = std::min(static_cast<std::size_t>(options_.beams), candidates_.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(count),
                    candidates_.end(), [](const Candidate& a, const Candidate& b) {
                      return std::tuple(-a.log_probability, a.beam, a.token) <
                             std::tuple(-b.log_probability, b.beam, b.token);
                    });
  std::vector<Beam> beams;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [log_probability, beam, token] = candidates_[i];
    const Beam& from = sequence.beams[beam];
    if (token == options_.end) {
      add(sequence, {from.link, log_probability,
                     log_probability / length_penalty(step_ + 1, options_.length_penalty), true});
    } else {
      links_.push_back({token, from.link});
      beams.push_back({from.row, static_cast<std::int64_t>(links_.size()) - 1, log_probability});
    }
  }
  sequence.beams = std::move(beams);
}

void BeamSearch::advance(const Tensor& logits) {
  check_logits(who, logits, tokens_.size(0), options_.end);
  const auto batch = static_cast<std::int64_t>(sequences_.size());
  const std::int64_t before = batch == 0 ? 0 : tokens_.size(0) / batch;
  const Tensor old_tokens = tokens_;
  const auto* const old_token = old_tokens.data<std::int64_t>();
  tokens_ = make_tensor({batch * options_.beams}, DType::int64);
  parents_ = make_tensor({batch * options_.beams}, DType::int64);
  auto* const tokens = tokens_.mutable_data<std::int64_t>();
  auto* const parents = parents_.mutable_data<std::int64_t>();
  for (std::int64_t b = 0; b < batch; ++b) {
    Sequence& sequence = sequences_[static_cast<std::size_t>(b)];
    if (may_improve(sequence)) {
      extend(sequence, logits);
    } else {
      sequence.beams.clear();
    }
    for (std::int64_t i = 0; i < options_.beams; ++i) {
      const std::int64_t row = b * options_.beams + i;
      // Rows without a prefix are not read; they repeat the sequence's first row.
      parents[row] = b * before;
      tokens[row] = options_.end.value_or(old_token[b * before]);
      if (const auto at = static_cast<std::size_t>(i); at < sequence.beams.size()) {
        Beam& beam = sequence.beams[at];
        parents[row] = std::exchange(beam.row, row);
        tokens[row] = links_[static_cast<std::size_t>(beam.link)].token;
      }
    }
  }
  ++step_;
}

std::vector<std::vector<BeamDecoded>> BeamSearch::results() const {
  std::vector<std::vector<BeamDecoded>> all;
  for (const Sequence& sequence : sequences_) {
    Sequence closed = sequence;
    if (may_improve(sequence)) {  // cut off at max_steps
      for (const Beam& beam : sequence.beams) {
        add(closed, {beam.link, beam.log_probability, score(beam.log_probability), false});
      }
    }
    std::vector<BeamDecoded>& results = all.emplace_back();
    for (const Found& found : closed.found) {
      BeamDecoded& result = results.emplace_back();
      result.log_probability = found.log_probability;
      result.score = found.score;
      result.ended = found.ended;
      for (std::int64_t at = found.link; at != none;
           at = links_[static_cast<std::size_t>(at)].before) {
        result.tokens.push_back(links_[static_cast<std::size_t>(at)].token);
      }
      std::reverse(result.tokens.begin(), result.tokens.end());
    }
  }
  return all;
}

}  // namespace detail

}  // namespace rw
