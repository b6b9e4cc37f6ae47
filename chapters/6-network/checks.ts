import * as links from './link-checks.ts'
import * as nat from './nat-checks.ts'
import * as traffic from './traffic-checks.ts'

/** The checks of this chapter, by topic. */
export const checks = {
  ...links.links,
  modes: links.modes,
  arrived: traffic.arrived,
  counted: traffic.bothCounted,
  ...traffic.second,
  ...nat.routing,
  ...nat.nat,
}

/** Answers to the predictions, read live. */
export const answers = {
  linksInside: links.linksInside,
  whoseAddress: traffic.whoseAddress,
  fate: nat.fate,
  lookups: nat.lookups,
}
