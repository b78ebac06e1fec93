#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure.hpp"
#include "problem.hpp"

namespace bench {

/// Timings of all contestants on one problem: "rewind", the peers by their names, "bound", and for
/// the custom cell "lstm" (Rewind's), each with every number of threads.
struct NetworkResult {
  Kind kind;
  Mode mode;
  Sizes sizes;
  std::vector<Timing> timings;

  /// Null where this contestant did not take part.
  const Timing* find(const std::string& name, int threads) const;
  /// How many times as fast as `other` Rewind is, with the same number of threads; of "bound", the
  /// share of it that is reached.
  std::optional<double> against(const std::string& other, int threads) const;
};

/// A figure that is not about a whole network.
struct SingleResult {
  std::string name;
  double value;
  std::string unit;
};

/// A figure to reach and what was measured; `where` names the worst case.
struct Requirement {
  std::string what;
  double measured;
  double bound;
  bool at_least;
  std::string where;

  bool holds() const { return at_least ? measured >= bound : measured <= bound; }
};

struct Report {
  std::vector<std::string> context;  // lines about the machine and the peers
  std::vector<NetworkResult> networks;
  std::vector<SingleResult> singles;

  const SingleResult* find(const std::string& name) const;
};

double geometric_mean(const std::vector<double>& values);

void print_header(const std::vector<std::string>& context);
void print_row(const NetworkResult& result);
void print_single(const SingleResult& result);
/// How steady the machine was: how much longer than the fastest sample of the same work the median
/// one took.
std::string describe_pace(const Report& report);
/// Geometric means of the ratios over the shapes.
void print_means(const Report& report);

/// The figures that Rewind promises, as far as they were measured.
std::vector<Requirement> requirements(const Report& report);
/// Prints them all; false where one is missed.
bool print_requirements(const std::vector<Requirement>& list);

void write_json(const Report& report, const std::vector<Requirement>& list,
                const std::string& path);
/// Draws speeds relative to oneDNN's with one thread, a group of bars a shape; bars end at 3.
void write_chart(const Report& report, const std::string& path);

}  // namespace bench
