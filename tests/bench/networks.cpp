#include "networks.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include <fmt/format.h>

#include "peers.hpp"
#include "product_bound.hpp"
#include "rewind_contestant.hpp"
#include "threads.hpp"

namespace bench {

namespace {

/// Largest difference relative to the largest number; infinity if counts differ or there is a NaN.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 1, apart = 0;
  bool comparable = a.size() == b.size();
  for (std::size_t i = 0; comparable && i < a.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i])));
    apart = std::max(apart, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    comparable = !std::isnan(a[i]) && !std::isnan(b[i]);
  }
  return comparable ? apart / largest : INFINITY;
}

void expect_close(const std::string& what, double apart) {
  if (!(apart <= 1e-4)) {
    throw std::runtime_error(fmt::format("bench: {} differs by {:.3g}", what, apart));
  }
}

double compare(const Problem& problem, const std::string& peer, Contestant& ours, Contestant& other,
               Mode mode) {
  ours.run();
  other.run();
  const std::string what = fmt::format("{} of {} ({}), {}", name_of(mode), name_of(problem.kind),
                                       name_of(problem.sizes), peer);
  double apart = difference(ours.output(), other.output());
  expect_close(what + ": the output", apart);
  if (mode == Mode::training) {
    const double dx = difference(ours.input_gradient(), other.input_gradient());
    expect_close(what + ": the gradient of x", dx);
    apart = std::max(apart, dx);
    const auto a = ours.weight_gradients(), b = other.weight_gradients();
    for (std::size_t i = 0; i < b.size(); ++i) {
      for (const auto& [name, member] : {std::pair("w_x", &Weights::w_x),
                                         {"w_h", &Weights::w_h},
                                         {"bias", &Weights::bias},
                                         {"bias_h", &Weights::bias_h}}) {
        const double dw = difference(a.at(i).*member, b[i].*member);
        expect_close(fmt::format("{}: the gradient of {} {}", what, name, i), dw);
        apart = std::max(apart, dw);
      }
    }
  }
  return apart;
}

/// Null if the peer does not take part.
std::unique_ptr<Contestant> make(const Peer& peer, const Problem& problem, Mode mode, int threads) {
  return peer.make == nullptr ? nullptr : peer.make(problem, mode, threads);
}

}  // namespace

std::vector<Sizes> all_sizes() {
  return {{9, 32, 8, 4, 1},           {20, 5, 1, 4, 1},      {28, 64, 28, 128, 1},
          {100, 32, 64, 128, 1},      {35, 20, 200, 200, 2}, {35, 20, 650, 650, 2},
          {100, 64, 256, 512, 1},     {128, 1, 64, 256, 1},  {784, 32, 1, 128, 1},
          {50, 32, 128, 256, 2, true}};
}

std::vector<Sizes> quick_sizes() {
  return {{9, 32, 8, 4, 1},      {20, 5, 1, 4, 1},      {28, 64, 28, 128, 1},
          {100, 32, 64, 128, 1}, {35, 20, 200, 200, 2}, {128, 1, 64, 256, 1}};
}

void check_agreement() {
  std::map<std::string, double> apart;
  for (const Sizes& sizes : {Sizes{5, 3, 7, 6, 1}, Sizes{4, 3, 6, 6, 2}, Sizes{4, 2, 7, 6, 2},
                             Sizes{4, 3, 5, 8, 2, true}, Sizes{3, 2, 5, 64, 1}}) {
    for (const Kind kind : {Kind::rnn, Kind::lstm, Kind::gru, Kind::gru_reset_before}) {
      for (const Mode mode : {Mode::inference, Mode::training}) {
        const Problem problem = make_problem(kind, sizes);
        const auto ours = make_rewind(problem, mode);
        for (const Peer& peer : peers()) {
          if (const auto other = make(peer, problem, mode, 1)) {
            double& largest = apart[peer.title];
            largest = std::max(largest, compare(problem, peer.title, *ours, *other, mode));
          }
        }
      }
    }
  }
  for (const auto& [title, largest] : apart) {
    fmt::print("outputs and gradients agree with {}'s to {:.1g}\n", title, largest);
  }
}

NetworkResult measure_network(Kind kind, Mode mode, const Sizes& sizes, const Effort& effort) {
  const Problem problem = make_problem(kind, sizes);
  std::vector<std::unique_ptr<Contestant>> contestants;
  std::vector<Entry> entries;
  // The runs with two threads directly follow those with one, before threads of other libraries can
  // spin while they wait for work.
  const auto add = [&](const std::string& name, const auto& make_for) {
    for (const int threads : {1, 2}) {
      set_threads(threads);
      if (std::unique_ptr<Contestant> contestant = make_for(threads)) {
        entries.push_back({name, threads, [it = contestant.get()] { it->run(); }});
        contestants.push_back(std::move(contestant));
      }
    }
  };
  add("rewind", [&](int) { return make_rewind(problem, mode); });
  if (kind == Kind::custom) {
    add("lstm", [&](int) { return make_rewind(make_problem(Kind::lstm, sizes), mode); });
  }
  for (const Peer& peer : peers()) {
    add(peer.name, [&](int threads) { return make(peer, problem, mode, threads); });
  }
  add("bound", [&](int threads) { return make_product_bound(problem, mode, threads); });
  return {kind, mode, sizes, measure(entries, effort)};
}

}  // namespace bench
