import { askEarly, begin } from './begin.tsx';
import { meetLoader } from './bridge.ts';

const early = askEarly();
void meetLoader().then((bridge) => begin(bridge, null, early));
