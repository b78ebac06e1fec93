#include <rewind/optim/adam_w.hpp>

namespace rw {

AdamW::AdamW(ParameterList parameters, const AdamWOptions& options)
    : Adam("adamw", std::move(parameters),
           {.learning_rate = options.learning_rate,
            .beta1 = options.beta1,
            .beta2 = options.beta2,
            .epsilon = options.epsilon,
            .weight_decay = options.weight_decay,
            .amsgrad = options.amsgrad},
           WeightDecay::decoupled) {}

}  // namespace rw
