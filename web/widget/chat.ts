import { fetchApi } from '../client/http.ts';
import { askEarly, begin } from './begin.tsx';
import { ownPage, redeemLink } from './hosted.ts';

const bridge = ownPage();
const early = askEarly();
void redeemLink(fetchApi, bridge.store).then((refusal) => begin(bridge, refusal, early));
