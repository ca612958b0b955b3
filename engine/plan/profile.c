#include "plan/profile.h"
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "graph/call_setup.h"
#include "plan/internal.h"

static void profile_free(PlanProfile *profile) {
    if (!profile) return;
    mem_free(profile->step);
    mem_free(profile->spans);
    mem_free(profile->now);
    mem_free(profile);
}

static void *table(size_t a, size_t b, size_t element) {
    size_t n, bytes;
    if (!mem_product(a, b, &n) || !mem_product(n + 1, element, &bytes)) return NULL;
    return mem_zalloc(bytes);
}

bool plan_profile_start(Plan *plan, int keep, Err *err) {
    PlanProfile *profile = mem_zalloc(sizeof *profile);
    if (!profile) return plan_no_memory(err);
    *profile = (PlanProfile){.steps = plan->n_steps,
                             .phases = plan->n_phases,
                             .threads = pool_threads(),
                             .most_kept = keep > 0 ? keep : 0};
    size_t spans = (size_t)profile->threads * (size_t)profile->phases;
    profile->step = table((size_t)profile->steps, 1, sizeof *profile->step);
    profile->now = table(spans, 1, sizeof *profile->now);
    profile->spans = table((size_t)profile->most_kept, spans, sizeof *profile->spans);
    if (!profile->step || !profile->now || !profile->spans) {
        profile_free(profile);
        return plan_no_memory(err);
    }
    profile_free(plan->profile);
    plan->profile = profile;
    return true;
}

void plan_profile_stop(Plan *plan) {
    profile_free(plan->profile);
    plan->profile = NULL;
}

const PlanProfile *plan_profile(const Plan *plan) { return plan->profile; }

void profile_begin(PlanProfile *profile) {
    memset(profile->now, 0,
           (size_t)profile->threads * (size_t)profile->phases * sizeof *profile->now);
    profile->seconds -= clock_now();
}

void profile_end(const Plan *plan) {
    PlanProfile *profile = plan->profile;
    size_t spans = (size_t)profile->threads * (size_t)profile->phases;
    profile->seconds += clock_now();
    profile->runs++;
    for (int p = 0; p < profile->phases; p++)
        profile->step[plan->phases[p].step] +=
            profile->now[p].end - profile->now[p].begin;
    if (profile->kept == profile->most_kept) return;
    memcpy(profile->spans + (size_t)profile->kept * spans, profile->now,
           spans * sizeof *profile->now);
    profile->kept++;
}

StepInfo plan_step_info(const Plan *plan, int number) {
    const Step *step = &plan->steps[number];
    const Call *call = &step->call;
    StepInfo info = {.name = step->name, .path = step->path, .where = step->where};
    if (step->kernel->flops) info.flops = step->kernel->flops(call);
    info.bytes = call_bytes(step->kernel, call);
    for (int32_t p = 0; p < plan->n_phases; p++)
        if (plan->phases[p].step == number && plan->phases[p].parts > info.parts)
            info.parts = plan->phases[p].parts;
    return info;
}

int plan_phase_step(const Plan *plan, int phase) { return plan->phases[phase].step; }

double plan_copied_bytes(const Plan *plan) {
    double bytes = 0;
    for (int p = 0; p < plan->n_ports; p++)
        if (plan->ports[p].copied)
            bytes += 2 * (double)plan->blocks[plan->ports[p].block].bytes;
    return bytes;
}
